//! Searches the inputs that fuzzing found, and their beginnings.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod promises;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// How many beginnings of each input are searched.
const CUTS: usize = 8;

#[test]
fn whatever_is_searched_keeps_the_promises() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut inputs = 0;
    for entry in fs::read_dir(fuzz.join("corpus-min/user_data")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for length in (1..=CUTS).map(|n| bytes.len() * n / CUTS) {
            let data = &bytes[..length];
            if catch_unwind(|| promises::hold(data)).is_err() {
                let text = String::from_utf8_lossy(data);
                panic!("{} to byte {length}: {text:?}", path.display());
            }
        }
        inputs += 1;
    }
    assert!(inputs > 0, "the corpus is empty");
}
