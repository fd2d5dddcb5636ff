//! Finds the programs that this workspace has built.

use std::path::PathBuf;

/// The built program `name`, in `$IMDS_BIN_DIR` or next to the running test in `target/<profile>/`.
///
/// # Panics
/// When it has not been built; the message says which command builds it.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let directory = std::env::var_os("IMDS_BIN_DIR").map_or_else(folder_of_programs, PathBuf::from);
    let path = directory.join(name);
    assert!(
        path.is_file(),
        "`{}` is missing: run `cargo build -p {name}`",
        path.display()
    );
    path
}

/// Tests are in `target/<profile>/deps/`, programs one folder above.
fn folder_of_programs() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let directory = test.parent().expect("a program is in a directory");
    if directory.ends_with("deps") {
        directory.parent().unwrap_or(directory).to_owned()
    } else {
        directory.to_owned()
    }
}
