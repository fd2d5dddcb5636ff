//! Real events, where the folder `shared/events` is next to the checkout: each is parsed to what
//! `corpus.json` records. `UPDATE=1` writes it again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imds_core::event::{Event, parse};

/// What `parse` makes of an event, in one line.
fn summarised(json: &str) -> String {
    match parse(json) {
        Ok(Event::Launch(launch)) => {
            let ids: Vec<_> = launch.instances.iter().map(|i| i.id.as_str()).collect();
            let options = launch
                .instances
                .first()
                .map(|i| i.options)
                .unwrap_or_default();
            let word = |o: Option<String>| o.unwrap_or_else(|| "?".to_owned());
            format!(
                "launch {} {} {} tokens={} hops={} principals={}",
                launch.origin.account.unwrap_or_default(),
                launch.origin.region,
                ids.join(","),
                word(options.http_tokens.map(|v| v.to_string())),
                word(options.hop_limit.map(|v| v.to_string())),
                launch.origin.principals.len(),
            )
        }
        Ok(Event::MetadataChange(change)) => format!("metadata-change {}", change.instance_id),
        Ok(Event::Start(start)) => {
            let ids: Vec<_> = start.instance_ids.iter().map(|id| id.as_str()).collect();
            format!("start {}", ids.join(","))
        }
        Ok(Event::Sweep(_)) => "sweep".to_owned(),
        Ok(Event::Ignored(ignored)) => format!("ignored: {}", ignored.reason),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_real_event_is_parsed_as_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/events");
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["cloudtrail", "eventbridge"] {
        // Elsewhere the project's own events cover the shapes.
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
            return;
        };
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    let found: BTreeMap<String, String> = files
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, summarised(&std::fs::read_to_string(path).unwrap()))
        })
        .collect();
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus.json");
    let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expected, &text).unwrap();
    }
    let expected: BTreeMap<String, String> =
        serde_json::from_str(&std::fs::read_to_string(expected).unwrap()).unwrap();
    assert_eq!(found, expected);
}
