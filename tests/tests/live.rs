//! Runs `tests/contract` in the account of AWS that the credentials are of; see its README.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Becomes pytest, so that it gets the signals and cleans up before its caller goes on.
fn main() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join(".venv/bin/python");
    let error = Command::new(&python)
        .args(["-m", "pytest", "-p", "no:cacheprovider", "--live"])
        .arg("tests/contract")
        .current_dir(root)
        .exec();
    let python = python.display();
    Err(format!(
        "could not run {python}, which `make venv` makes: {error}"
    ))
}
