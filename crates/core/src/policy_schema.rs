//! The JSON Schema of the policy. It checks each value alone; only `Policy::parse` checks that names
//! are unique, ranges are not empty and rules can be reached.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, RestrictFormats};
use serde_json::Value;

use crate::policy::Policy;

/// The JSON Schema (draft 2020-12) of a policy document, for editors.
pub fn schema() -> Value {
    SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(given_is_not_null))
        .with_transform(RestrictFormats::default())
        .into_generator()
        .into_root_schema_for::<Policy>()
        .to_value()
}

/// `null` does not mean that a field is left out.
fn given_is_not_null(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                if schema.get(&key).is_none() {
                    schema.insert(key, value);
                }
            }
        }
    }
}
