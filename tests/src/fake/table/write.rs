//! UpdateItem, PutItem and DeleteItem.

use serde_json::{Value, json};

use super::condition::Condition;
use super::path::parts;
use super::placeholders::Placeholders;
use super::update::Update;
use super::value::{AttributeValue, Item, item_size};
use super::{KEY, access, input, invalid, wire};
use crate::fake::api_error::ApiError;
use crate::fake::request::ApiRequest;
use crate::fake::state::FakeState;

const MOST_ITEM_BYTES: usize = 400 * 1024;

/// The members that these calls share.
struct WriteInput<'a> {
    table: &'a str,
    returned: &'a str,
    update: Option<Update>,
    condition: Option<Condition>,
    tells_item: bool,
}

impl<'a> WriteInput<'a> {
    fn read(input: &'a Value, returned: &[&'a str]) -> Result<WriteInput<'a>, ApiError> {
        let expressions: &[&str] = match input::member(input, "UpdateExpression") {
            None if input.get("Item").is_some() => &["ConditionExpression"],
            _ => &["UpdateExpression", "ConditionExpression"],
        };
        let mut placeholders = Placeholders::read(input, expressions)?;
        let expression = |name: &str| input::member(input, name).map(wire::text).transpose();
        let update = expression("UpdateExpression")?
            .map(|text| Update::read(text, &mut placeholders))
            .transpose()?;
        let condition = expression("ConditionExpression")?
            .map(|text| Condition::read("ConditionExpression", text, &mut placeholders))
            .transpose()?;
        placeholders.finish()?;
        let told = "ReturnValuesOnConditionCheckFailure";
        Ok(WriteInput {
            table: wire::text(input::require(input, "TableName")?)?,
            returned: input::word(input, "ReturnValues", returned)?,
            update,
            condition,
            tells_item: input::word(input, told, &["NONE", "ALL_OLD"])? == "ALL_OLD",
        })
    }

    fn check(&self, before: Option<&Item>) -> Result<(), ApiError> {
        let Some(condition) = &self.condition else {
            return Ok(());
        };
        if condition.holds(before.unwrap_or(&Item::new()))? {
            return Ok(());
        }
        let mut failed = ApiError::new(
            "ConditionalCheckFailedException",
            "The conditional request failed",
        );
        failed.item = before.filter(|_| self.tells_item).map(wire::write_item);
        Err(failed)
    }
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>
pub(crate) fn update_item(fake: &mut FakeState, request: &ApiRequest) -> Result<Value, ApiError> {
    access::check(fake, request)?;
    let input = &request.body;
    let returned = ["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"];
    let write = WriteInput::read(input, &returned)?;
    let key = input::require(input, "Key")?;
    input::check_table(fake, request, write.table)?;
    let key = input::key(key)?;
    let update = write.update.as_ref();
    update.map_or(Ok(()), Update::check_key)?;
    let before = stored(fake, request, &key);
    write.check(before.as_ref())?;
    let base = before
        .clone()
        .unwrap_or_else(|| Item::from([(KEY.to_owned(), AttributeValue::S(key.clone()))]));
    let after = match update {
        Some(update) => update.apply(&base)?,
        None => base,
    };
    if item_size(&after) > MOST_ITEM_BYTES {
        return Err(invalid(
            "Item size to update has exceeded the maximum allowed size",
        ));
    }
    store(fake, request, &key, Some(after.clone()));
    let paths = update.map(Update::paths).unwrap_or_default();
    Ok(answer(match write.returned {
        "ALL_OLD" => before,
        "ALL_NEW" => Some(after),
        "UPDATED_OLD" => before.map(|before| parts(&before, &paths)),
        "UPDATED_NEW" => Some(parts(&after, &paths)),
        _ => None,
    }))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html>
pub(crate) fn put_item(fake: &mut FakeState, request: &ApiRequest) -> Result<Value, ApiError> {
    access::check(fake, request)?;
    let input = &request.body;
    let write = WriteInput::read(input, &["NONE", "ALL_OLD"])?;
    let item = wire::read_item(input::require(input, "Item")?)?;
    input::check_table(fake, request, write.table)?;
    let key = input::key_of(&item)?;
    if item_size(&item) > MOST_ITEM_BYTES {
        return Err(invalid("Item size has exceeded the maximum allowed size"));
    }
    replace(fake, request, &write, &key, Some(item))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html>
pub(crate) fn delete_item(fake: &mut FakeState, request: &ApiRequest) -> Result<Value, ApiError> {
    access::check(fake, request)?;
    let input = &request.body;
    let write = WriteInput::read(input, &["NONE", "ALL_OLD"])?;
    let key = input::require(input, "Key")?;
    input::check_table(fake, request, write.table)?;
    replace(fake, request, &write, &input::key(key)?, None)
}

fn replace(
    fake: &mut FakeState,
    request: &ApiRequest,
    write: &WriteInput<'_>,
    key: &str,
    item: Option<Item>,
) -> Result<Value, ApiError> {
    let before = stored(fake, request, key);
    write.check(before.as_ref())?;
    store(fake, request, key, item);
    Ok(answer(before.filter(|_| write.returned == "ALL_OLD")))
}

fn stored(fake: &mut FakeState, request: &ApiRequest, key: &str) -> Option<Item> {
    fake.region(&request.region).table.item(key).cloned()
}

fn store(fake: &mut FakeState, request: &ApiRequest, key: &str, item: Option<Item>) {
    let visible = fake.table.written;
    fake.region(&request.region).table.write(key, item, visible);
}

fn answer(attributes: Option<Item>) -> Value {
    match attributes.filter(|attributes| !attributes.is_empty()) {
        Some(attributes) => json!({ "Attributes": wire::write_item(&attributes) }),
        None => json!({}),
    }
}
