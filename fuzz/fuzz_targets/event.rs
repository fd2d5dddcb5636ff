//! Any text as an event.
#![no_main]

#[path = "../../crates/core/tests/promises/event.rs"]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        promises::hold(text);
    }
});
