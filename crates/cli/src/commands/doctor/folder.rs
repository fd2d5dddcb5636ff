//! Whether a journal can be written.

use std::path::Path;

use super::check::Check;
use crate::journal::Place;

const WHAT: &str = "journal";
const NEXT: &str = "name a file with `--journal` that can be written";

pub(super) fn check() -> Check {
    match Place::standard() {
        Ok(Place::Folder(folder) | Place::File(folder)) => writable(&folder),
        Err(error) => Check::failed(WHAT, error.to_string(), NEXT),
    }
}

/// Checks whether a file can be created in the folder or in its nearest existing parent. The file is
/// unnamed, and disappears when it is closed.
fn writable(folder: &Path) -> Check {
    let shown = folder.display();
    let there = folder.ancestors().find(|folder| folder.exists());
    match there.map(tempfile::tempfile_in) {
        Some(Ok(_)) => Check::fine(WHAT, format!("can be written to {shown}")),
        Some(Err(error)) => {
            let found = format!("cannot be written to {shown}: {error}");
            Check::failed(WHAT, found, NEXT)
        }
        None => Check::failed(WHAT, format!("no parent of {shown} exists"), NEXT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_missing_is_not_created() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state/imdsctl");
        assert!(writable(&folder).is_fine());
        assert_eq!(std::fs::read_dir(outer.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_an_error() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("imdsctl");
        std::fs::write(&folder, "").unwrap();
        let check = writable(&folder);
        assert!(check.is_failed(), "{check:?}");
        assert_eq!(check.next.as_deref(), Some(NEXT));
    }
}
