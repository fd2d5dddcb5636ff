//! Any bytes as user data.
#![no_main]

#[path = "../../crates/user-data/tests/promises/mod.rs"]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promises::hold(bytes));
