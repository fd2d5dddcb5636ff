//! DynamoDB with one table, the function's state.

mod access;
mod call;
mod condition;
mod controls;
mod input;
mod number;
mod operand;
mod path;
mod placeholders;
mod read;
mod sets;
mod store;
mod token;
mod update;
mod value;
mod wire;
mod write;

pub use call::TableCall;
pub use controls::StateTable;

pub(super) use call::TableTrace;
pub(super) use read::{batch_get_item, get_item, scan};
pub(super) use store::{Table, TableSettings};
pub(super) use write::{delete_item, put_item, update_item};

use super::api_error::ApiError;

/// The name of the table, which every region has.
const TABLE: &str = "imds-enforcer";
/// Its partition key.
const KEY: &str = "key";

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}
