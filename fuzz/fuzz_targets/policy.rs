//! Any text as a policy.
#![no_main]

#[path = "../../crates/core/tests/promises/policy.rs"]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        promises::hold(text);
    }
});
