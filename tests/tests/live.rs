//! Runs `tests/contract` in the account of AWS that the credentials are of; see its README.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Becomes pytest, so that it gets the signals and cleans up before its caller goes on.
fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let error = Command::new(root.join(".venv/bin/python"))
        .args([
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--live",
            "tests/contract",
        ])
        .current_dir(&root)
        .exec();
    panic!("could not run .venv/bin/python, which `make venv` makes: {error}");
}
