//! The items of the state table, in DynamoDB.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use futures_util::{StreamExt, stream};
use imds_core::state::{Item, Key};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::client::Client;
use crate::convert::timestamp;
use crate::error::CallError;
use crate::expression::{Condition, Expression, KEY, item};
use crate::timing::{self, Backoff};

const BATCH: &str = "BatchGetItem";

/// The maximum number of items in one `BatchGetItem` call.
const KEYS: usize = 100;

/// `BatchGetItem` calls side by side.
const BATCHES_AT_ONCE: usize = 8;

/// The state table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateTable {
    /// Its name or ARN.
    pub(crate) name: String,
    pub(crate) region: String,
}

/// A name that no table can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}`: expected the name of a DynamoDB table (3 to 255 letters, digits, `_`, `-` and `.`) or its ARN"
)]
pub struct TableNameError(String);

impl StateTable {
    /// The table with this name in `region`, or with this ARN.
    ///
    /// # Errors
    /// If no table can have this name or ARN.
    pub fn new(name: &str, region: &str) -> Result<Self, TableNameError> {
        let error = || TableNameError(name.to_owned());
        let (region, table) = if name.starts_with("arn:") {
            let parts: Vec<&str> = name.split(':').collect();
            let [_, _, "dynamodb", region, _, resource] = parts.as_slice() else {
                return Err(error());
            };
            (*region, resource.strip_prefix("table/").ok_or_else(error)?)
        } else {
            (region, name)
        };
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if region.is_empty() || !(3..=255).contains(&table.len()) || !table.bytes().all(is_allowed)
        {
            return Err(error());
        }
        Ok(StateTable {
            name: name.to_owned(),
            region: region.to_owned(),
        })
    }
}

impl fmt::Display for StateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in {}", self.name, self.region)
    }
}

/// An item, and what time it was in DynamoDB when it was read.
#[derive(Debug)]
pub struct DatedItem {
    /// `None`: there is none.
    pub item: Option<Item>,
    date: Timestamp,
    read_at: Instant,
}

impl DatedItem {
    /// What time it is now in DynamoDB. The clocks of functions differ, and this one is theirs all.
    pub fn now(&self) -> Timestamp {
        let now = self.date.checked_add(self.read_at.elapsed());
        now.unwrap_or(Timestamp::MAX)
    }
}

/// What came of a conditional write.
#[derive(Debug)]
pub enum Written {
    /// It is done. Of a lease, the item that was there before.
    Done(Option<Item>),
    /// The condition does not hold; the item as it is.
    ConditionFailed(Option<Item>),
}

impl Client {
    /// Reads an item, with all writes before.
    ///
    /// # Errors
    /// If DynamoDB does not answer or rejects the call.
    pub async fn get_item(&self, table: &StateTable, key: &Key) -> Result<DatedItem, CallError> {
        const ACTION: &str = "GetItem";
        let date = DateSeen::default();
        let answer = self
            .call_at_once(ACTION, &table.region, |services| {
                services
                    .dynamodb()
                    .get_item()
                    .table_name(&table.name)
                    .key(KEY, AttributeValue::S(key.as_str().to_owned()))
                    .consistent_read(true)
                    .customize()
                    .interceptor(date.clone())
                    .send()
            })
            .await?;
        let read_at = Instant::now();
        let date = date
            .get()
            .ok_or_else(|| CallError::unreadable(ACTION, &table.region, "no HTTP header `Date`"))?;
        Ok(DatedItem {
            item: answer.item.map(item),
            date,
            read_at,
        })
    }

    /// Reads items, with all writes before. Those that do not exist are not in the result.
    ///
    /// # Errors
    /// If DynamoDB does not answer a call within [`timing::STATE_WITHIN`], rejects it, or does not process all
    /// of its keys by then.
    pub async fn get_items(
        &self,
        table: &StateTable,
        keys: &[Key],
    ) -> Result<BTreeMap<Key, Item>, CallError> {
        let batches = keys.chunks(KEYS).map(|keys| async move {
            let deadline = Instant::now() + timing::STATE_WITHIN;
            match timeout_at(deadline, self.get_batch(table, keys, deadline)).await {
                Ok(found) => found,
                Err(_elapsed) => {
                    let why = format!("no answer within {:?}", timing::STATE_WITHIN);
                    Err(CallError::unreadable(BATCH, &table.region, why))
                }
            }
        });
        let mut batches = stream::iter(batches).buffer_unordered(BATCHES_AT_ONCE);
        let mut found = HashMap::new();
        while let Some(batch) = batches.next().await {
            found.extend(batch?);
        }
        let items = keys
            .iter()
            .filter_map(|key| Some((key.clone(), item(found.remove(key.as_str())?))));
        Ok(items.collect())
    }

    /// The attributes of items, by key.
    async fn get_batch(
        &self,
        table: &StateTable,
        keys: &[Key],
        deadline: Instant,
    ) -> Result<HashMap<String, HashMap<String, AttributeValue>>, CallError> {
        let mut found = HashMap::new();
        let mut left: Vec<HashMap<String, AttributeValue>> = keys.iter().map(key).collect();
        let mut backoff = Backoff::default();
        while !left.is_empty() {
            let answer = self
                .call_at_once(BATCH, &table.region, |services| {
                    let request = KeysAndAttributes::builder()
                        .set_keys(Some(left.clone()))
                        .consistent_read(true);
                    let batch = services.dynamodb().batch_get_item();
                    match request.build() {
                        Ok(request) => batch.request_items(&table.name, request),
                        // The keys are given.
                        Err(_) => batch,
                    }
                    .send()
                })
                .await?;
            for attributes in answer.responses.unwrap_or_default().into_values().flatten() {
                if let Some(AttributeValue::S(key)) = attributes.get(KEY) {
                    found.insert(key.clone(), attributes);
                }
            }
            let unprocessed = answer.unprocessed_keys.unwrap_or_default();
            left = unprocessed.into_values().flat_map(|it| it.keys).collect();
            if !left.is_empty() && !backoff.wait(deadline).await {
                let why = format!("{} keys were not processed", left.len());
                return Err(CallError::unreadable(BATCH, &table.region, why));
            }
        }
        Ok(found)
    }

    /// Sets attributes of an item, and when it expires.
    ///
    /// # Errors
    /// If DynamoDB does not answer, or rejects the call for another reason than the condition. The write may
    /// have been done.
    pub async fn update_item(
        &self,
        table: &StateTable,
        key: &Key,
        attributes: &Item,
        expires_at: Timestamp,
        condition: Condition<'_>,
    ) -> Result<Written, CallError> {
        let expression = Expression::new(attributes, expires_at, condition);
        self.call_at_once("UpdateItem", &table.region, |services| {
            let update = services
                .dynamodb()
                .update_item()
                .table_name(&table.name)
                .key(KEY, AttributeValue::S(key.as_str().to_owned()))
                .update_expression(&expression.update)
                .set_condition_expression(expression.condition.clone())
                .set_expression_attribute_names(Some(expression.names.clone()))
                .set_expression_attribute_values(Some(expression.values.clone()))
                .return_values(expression.answers.clone())
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .send();
            async {
                match update.await {
                    Ok(answer) => Ok(Written::Done(answer.attributes.map(item))),
                    Err(SdkError::ServiceError(error)) => match error.err() {
                        UpdateItemError::ConditionalCheckFailedException(failed) => {
                            Ok(Written::ConditionFailed(failed.item.clone().map(item)))
                        }
                        _ => Err(SdkError::ServiceError(error)),
                    },
                    Err(error) => Err(error),
                }
            }
        })
        .await
    }
}

pub(crate) fn key(key: &Key) -> HashMap<String, AttributeValue> {
    let value = AttributeValue::S(key.as_str().to_owned());
    HashMap::from([(KEY.to_owned(), value)])
}

/// Keeps the date of the answer, by the server's clock.
#[derive(Debug, Clone, Default)]
struct DateSeen(Arc<Mutex<Option<Timestamp>>>);

impl DateSeen {
    fn get(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[dyn_dispatch_hint]
impl Intercept for DateSeen {
    fn name(&self) -> &'static str {
        "date of the answer"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date.and_then(timestamp);
        Ok(())
    }
}
