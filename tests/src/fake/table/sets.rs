//! Sets: what `ADD` adds to them and what `DELETE` takes from them.

use super::value::AttributeValue;

pub(crate) fn is_set(value: &AttributeValue) -> bool {
    matches!(
        value,
        AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_)
    )
}

/// `None` unless both are sets of the same type.
pub(crate) fn union(left: &AttributeValue, right: &AttributeValue) -> Option<AttributeValue> {
    match (left, right) {
        (AttributeValue::Ss(left), AttributeValue::Ss(right)) => {
            Some(AttributeValue::Ss(left | right))
        }
        (AttributeValue::Ns(left), AttributeValue::Ns(right)) => {
            Some(AttributeValue::Ns(left | right))
        }
        (AttributeValue::Bs(left), AttributeValue::Bs(right)) => {
            Some(AttributeValue::Bs(left | right))
        }
        _ => None,
    }
}

/// `None` unless both are sets of the same type; `Some(None)` where nothing is left, for no set is empty.
pub(crate) fn difference(
    left: &AttributeValue,
    right: &AttributeValue,
) -> Option<Option<AttributeValue>> {
    let rest = match (left, right) {
        (AttributeValue::Ss(left), AttributeValue::Ss(right)) => AttributeValue::Ss(left - right),
        (AttributeValue::Ns(left), AttributeValue::Ns(right)) => AttributeValue::Ns(left - right),
        (AttributeValue::Bs(left), AttributeValue::Bs(right)) => AttributeValue::Bs(left - right),
        _ => return None,
    };
    Some(Some(rest).filter(|rest| rest.length() != Some(0)))
}
