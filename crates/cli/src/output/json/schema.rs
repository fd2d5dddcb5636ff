//! The JSON Schema of reports, generated from the types. `UPDATE=1` writes it again.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, RestrictFormats};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::{DocumentJson, write_document};
use crate::document::Document;
use crate::output::sample;

/// The JSON Schema of what a type is written as.
pub(crate) fn generated<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RestrictFormats::default())
        .with_transform(RecursiveTransform(words_of_json))
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// The descriptions are those of the Rust types.
fn words_of_json(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        for (rust, json) in [("`None`", "`null`"), ("[`", "`"), ("`]", "`")] {
            *description = description.replace(rust, json);
        }
    }
}

/// Compares a schema with its file at the root of the repository.
pub(crate) fn check_file(name: &str, generated: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{generated:#}\n")).unwrap();
    }
    let written: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(
        written == *generated,
        "{name} is stale: write it again with UPDATE=1"
    );
}

#[test]
fn the_schema_in_the_repository_is_up_to_date() {
    check_file("report.schema.json", &generated::<DocumentJson>());
}

#[test]
fn the_schema_is_valid_and_accepts_every_kind_of_report() {
    let schema = generated::<DocumentJson>();
    jsonschema::meta::validate(&schema).unwrap();
    let options = jsonschema::options().should_validate_formats(true);
    let validator: Validator = options.build(&schema).unwrap();
    let report = |document: &Document| {
        let mut out = Vec::new();
        write_document(document, &mut out).unwrap();
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let scanned = report(&sample::fleet(300));
    for report in [&scanned, &report(&sample::enforced(300))] {
        let faults: Vec<String> = validator
            .iter_errors(report)
            .map(|it| it.to_string())
            .collect();
        assert_eq!(faults, Vec::<String>::new());
    }
    for field in ["version", "scope", "not_examined", "instances", "summary"] {
        let mut without = scanned.clone();
        without.as_object_mut().unwrap().remove(field);
        assert!(!validator.is_valid(&without), "{field}");
    }
    let mut other = scanned;
    other["version"] = 2.into();
    assert!(
        !validator.is_valid(&other),
        "another version has another schema"
    );
}
