//! How the fields of a policy read in its JSON Schema, where the Rust type does not say it.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, json_schema};
use serde_json::{Value, json};

/// One pattern, or a list of patterns of which any may match.
#[derive(JsonSchema)]
#[schemars(inline, untagged)]
#[expect(dead_code, reason = "stands in for the type of a field")]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(#[schemars(length(min = 1))] Vec<T>),
}

/// Tag keys and values, both patterns.
#[derive(JsonSchema)]
#[schemars(inline, transparent, extend("minProperties" = 1, "propertyNames" = json!({ "minLength": 1 })))]
#[expect(dead_code, reason = "stands in for the type of a field")]
pub(crate) struct Tags(BTreeMap<String, OneOrMany<TagValue>>);

macro_rules! text {
    ($($(#[$doc:meta])* $name:ident: $pattern:literal;)+) => {$(
        $(#[$doc])*
        #[derive(JsonSchema)]
        #[schemars(transparent)]
        #[expect(dead_code, reason = "stands in for the type of a field")]
        pub(crate) struct $name(#[schemars(regex(pattern = $pattern))] String);
    )+};
}

text! {
    /// An account id: 12 digits, without wildcards.
    Account: r"^[0-9]{12}$";
    /// A region, or a pattern such as `us-*`.
    Region: r"^[a-z0-9*?-]+$";
    /// A pattern of a tag's value.
    TagValue: r"^[\s\S]+$";
    /// An AMI's id, or a pattern of ids.
    Image: r"^(ami-|[*?])";
    /// An instance type, or a pattern such as `m7g.*`.
    InstanceType: r"^[a-z0-9.*?-]+$";
    /// An ARN, an AWS service such as `autoscaling.amazonaws.com`, or a pattern such as
    /// `arn:aws:iam::*:role/deploy`.
    Principal: r"^(arn:|[*?])|\.amazonaws\.com";
    /// A launch template's id, or a pattern of ids; an instance does not show its template's name.
    LaunchTemplate: r"^(lt-|[*?])";
    /// Text that is not blank.
    Words: r"\S";
}

/// The version of the policy's format.
pub(crate) struct FormatVersion;

/// The version of a document that does not say.
pub(crate) fn first_version() -> u8 {
    1
}

impl JsonSchema for FormatVersion {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FormatVersion".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ "const": 1 })
    }
}

/// What happens to an instance that must not be stopped or terminated.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
#[expect(dead_code, reason = "stands in for the type of a field")]
pub(crate) enum AtMostEnforce {
    /// It is reported and left as it is.
    Report,
    /// Its metadata options are set to what the policy requires.
    Enforce,
}

/// A hop limit.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "stands in for the type of a field")]
pub(crate) struct Hops(#[schemars(range(min = 1, max = 64))] u8);

/// A limit, or none.
pub(crate) struct LimitOrNull;

impl JsonSchema for LimitOrNull {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LimitOrNull".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        let limit = json!({ "type": "integer", "minimum": 0, "maximum": 10_000 });
        json_schema!({ "oneOf": [limit, { "const": null }] })
    }
}

/// A date.
pub(crate) struct Day;

impl JsonSchema for Day {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A date: YYYY-MM-DD.",
            "type": "string",
            "format": "date",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        })
    }
}

/// Editors find the schema by a key of the document.
pub(crate) fn allow_schema_key(schema: &mut Schema) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let key =
            json!({ "description": "The address of this schema, for editors.", "type": "string" });
        properties.insert("$schema".to_owned(), key);
    }
}

/// A rule has an action, a `require` or both; an exemption has no `require`, and only it may expire.
pub(crate) fn action_or_require(schema: &mut Schema) {
    let given = |field: &str| json!({ "required": [field] });
    schema.insert(
        "anyOf".to_owned(),
        json!([given("action"), given("require")]),
    );
    schema.insert(
        "if".to_owned(),
        json!({ "properties": { "action": { "const": "exempt" } }, "required": ["action"] }),
    );
    schema.insert("then".to_owned(), json!({ "not": given("require") }));
    schema.insert("else".to_owned(), json!({ "not": given("expires") }));
    let disrupts = json!({ "enum": ["stop", "terminate"] });
    schema.insert(
        "dependentSchemas".to_owned(),
        json!({ "even_if_replaced": { "properties": { "action": disrupts }, "required": ["action"] } }),
    );
}
