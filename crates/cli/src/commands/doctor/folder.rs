//! Whether a journal can be kept.

use std::path::Path;

use super::check::Check;
use crate::journal::Place;

const WHAT: &str = "journal";
const NEXT: &str = "name a file that can be written with `--journal`";

pub(super) fn look() -> Check {
    match Place::standard() {
        Ok(Place::Folder(folder) | Place::File(folder)) => writable(&folder),
        Err(error) => Check::wrong(WHAT, error.to_string(), NEXT),
    }
}

/// Whether a file can be made in the folder, or in the nearest above that there is. The file has no
/// name, and goes at once.
fn writable(folder: &Path) -> Check {
    let shown = folder.display();
    let there = folder.ancestors().find(|folder| folder.exists());
    match there.map(tempfile::tempfile_in) {
        Some(Ok(_)) => Check::fine(WHAT, format!("can be kept in {shown}")),
        Some(Err(error)) => {
            let found = format!("cannot be kept in {shown}: {error}");
            Check::wrong(WHAT, found, NEXT)
        }
        None => Check::wrong(WHAT, format!("there is no folder above {shown}"), NEXT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_missing_is_not_made() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state/imdsctl");
        assert!(writable(&folder).is_fine());
        assert_eq!(std::fs::read_dir(outer.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_told() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("imdsctl");
        std::fs::write(&folder, "").unwrap();
        let check = writable(&folder);
        assert!(check.is_wrong(), "{check:?}");
        assert_eq!(check.next.as_deref(), Some(NEXT));
    }
}
