//! The items that people write, in DynamoDB: what only the command does with them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use imds_core::state::{EntryKind, Item, Key};

use crate::client::Client;
use crate::error::CallError;
use crate::expression::{KEY, item};
use crate::state_table::{StateTable, key};

impl Client {
    /// Finds all items of a kind, with all writes before. DynamoDB reads the whole table for this, because
    /// each item has a partition of its own.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html>
    ///
    /// # Errors
    /// If DynamoDB does not answer or rejects a call.
    pub async fn entries(
        &self,
        table: &StateTable,
        kind: EntryKind,
    ) -> Result<Vec<(Key, Item)>, CallError> {
        let mut found = Vec::new();
        let mut start: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let answer = self
                .call_at_once("Scan", &table.region, |services| {
                    let prefix = AttributeValue::S(kind.prefix().to_owned());
                    services
                        .dynamodb()
                        .scan()
                        .table_name(&table.name)
                        .consistent_read(true)
                        .filter_expression("begins_with(#key, :prefix)")
                        .expression_attribute_names("#key", KEY)
                        .expression_attribute_values(":prefix", prefix)
                        .set_exclusive_start_key(start.clone())
                        .send()
                })
                .await?;
            for attributes in answer.items.unwrap_or_default() {
                if let Some(AttributeValue::S(key)) = attributes.get(KEY) {
                    found.push((Key::found(key.clone()), item(attributes)));
                }
            }
            // The last page has none.
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    /// Deletes an item, and returns what it was; `None`: there was none.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html>
    ///
    /// # Errors
    /// If DynamoDB does not answer or rejects the call.
    pub async fn delete_item(
        &self,
        table: &StateTable,
        which: &Key,
    ) -> Result<Option<Item>, CallError> {
        let answer = self
            .call_at_once("DeleteItem", &table.region, |services| {
                services
                    .dynamodb()
                    .delete_item()
                    .table_name(&table.name)
                    .set_key(Some(key(which)))
                    .return_values(ReturnValue::AllOld)
                    .send()
            })
            .await?;
        Ok(answer.attributes.map(item))
    }
}
