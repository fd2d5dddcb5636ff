//! The parsers keep their promises for the inputs that fuzzing has found and for all events and
//! policies, each also cut and damaged.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

mod promises;

use std::borrow::Cow;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// How often each input is cut, and how often damaged.
const VARIANTS: usize = 16;

#[test]
fn whatever_is_read_as_an_event_keeps_the_promises() {
    let mut inputs = files("events");
    inputs.extend(files("fuzz/findings/event"));
    inputs.extend(files("fuzz/corpus-min/event"));
    all_keep(&inputs, promises::event::hold);
}

#[test]
fn whatever_is_read_as_a_policy_keeps_the_promises() {
    let mut inputs = files("policies");
    inputs.push(root().join("events/policy.json"));
    inputs.extend(files("fuzz/findings/policy"));
    inputs.extend(files("fuzz/corpus-min/policy"));
    all_keep(&inputs, promises::policy::hold);
}

fn all_keep(inputs: &[PathBuf], hold: fn(&str)) {
    for path in inputs {
        let bytes = fs::read(path).unwrap();
        for (variant, text) in variants(&bytes) {
            if catch_unwind(|| hold(&text)).is_err() {
                panic!("{} {variant}: {text:?}", path.display());
            }
        }
    }
}

/// The same every time.
fn variants(bytes: &[u8]) -> impl Iterator<Item = (String, Cow<'_, str>)> {
    let whole = (String::from("whole"), String::from_utf8_lossy(bytes));
    let cut = (0..VARIANTS).map(|n| {
        let at = bytes.len() * n / VARIANTS;
        (
            format!("cut at {at}"),
            String::from_utf8_lossy(&bytes[..at]),
        )
    });
    let damaged = (0..VARIANTS).map(|n| {
        // Strides through the whole input, whatever its length.
        let at = n * 2_654_435_761 % bytes.len().max(1);
        let mut bytes = bytes.to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << (n % 7);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (format!("damaged at {at}"), Cow::Owned(text))
    });
    std::iter::once(whole).chain(cut).chain(damaged)
}

/// In the order of their names.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file() && path.extension().is_none_or(|end| end != "md"));
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
