//! What the function's role may do with the table. People may do everything.

use super::input;
use crate::fake::api_error::ApiError;
use crate::fake::request::ApiRequest;
use crate::fake::state::FakeState;

/// `dynamodb:LeadingKeys` of the items that the function writes.
const OWN_KEYS: [&str; 6] = [
    "limit#",
    "drift#",
    "existing#",
    "watch#",
    "launcher#",
    "lease#",
];

pub(crate) fn check(fake: &FakeState, request: &ApiRequest) -> Result<(), ApiError> {
    let is_own = |key: &String| OWN_KEYS.iter().any(|prefix| key.starts_with(prefix));
    let allowed = match request.action.as_str() {
        _ if fake.table.people.contains(&request.access_key) => true,
        "GetItem" | "BatchGetItem" => true,
        "UpdateItem" => input::keys(&request.body).iter().all(is_own),
        _ => false,
    };
    if allowed {
        return Ok(());
    }
    let account = &fake.account;
    let action = &request.action;
    let table = input::arn(&request.region, account);
    Err(ApiError::new(
        "AccessDeniedException",
        format!(
            "User: arn:aws:sts::{account}:assumed-role/enforcer/session is not authorized to perform: dynamodb:{action} on resource: {table} because no identity-based policy allows the dynamodb:{action} action"
        ),
    ))
}
