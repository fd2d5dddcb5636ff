//! Where a journal is kept, and its creation.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use imds_core::plain::Plain;
use jiff::tz::Offset;

use super::line::Header;

/// Where a journal is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// This file, which must not exist.
    File(PathBuf),
    /// A new file in this folder, which is created if it is missing.
    Folder(PathBuf),
}

/// Why a journal cannot be created; without a journal nothing is changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    /// The platform has no folder for journals.
    #[error("no home folder to keep the journal in; name a file with `--journal`")]
    NoFolder,
    /// The file exists; a journal is never overwritten.
    #[error(
        "journal `{}` exists and is not overwritten; name a new file",
        shown(path)
    )]
    Exists { path: PathBuf },
    /// The file or its folder cannot be created.
    #[error("could not create journal `{}`", shown(path))]
    Create { path: PathBuf, source: io::Error },
}

impl Place {
    /// The state folder of the platform; on Linux `$XDG_STATE_HOME/imdsctl`, or
    /// `~/.local/state/imdsctl`.
    pub(crate) fn standard() -> Result<Self, CreateError> {
        standard_folder()
            .map(Place::Folder)
            .ok_or(CreateError::NoFolder)
    }

    /// Creates the file, accessible only to its owner, and syncs its directory entry to disk.
    pub(super) fn create(&self, header: &Header) -> Result<(PathBuf, File), CreateError> {
        match self {
            Place::File(path) => {
                let file = create(path).map_err(|source| match source.kind() {
                    io::ErrorKind::AlreadyExists => CreateError::Exists { path: path.clone() },
                    _ => failed(path, source),
                })?;
                // A relative name without a folder has an empty parent.
                let folder = path.parent().filter(|folder| *folder != Path::new(""));
                let folder = folder.unwrap_or(Path::new("."));
                sync_folder(folder).map_err(|source| failed(path, source))?;
                Ok((path.clone(), file))
            }
            Place::Folder(folder) => {
                make_folder(folder).map_err(|source| failed(folder, source))?;
                let mut n = 1;
                loop {
                    let path = folder.join(name(header, n));
                    match create(&path) {
                        Ok(file) => {
                            sync_folder(folder).map_err(|source| failed(&path, source))?;
                            return Ok((path, file));
                        }
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
                        Err(source) => return Err(failed(&path, source)),
                    }
                }
            }
        }
    }
}

/// The folder in which journals are kept, whether it exists or not; `None`: the platform has none.
pub(crate) fn standard_folder() -> Option<PathBuf> {
    let folder = dirs::state_dir().or_else(dirs::data_local_dir);
    folder.map(|folder| folder.join("imdsctl"))
}

/// The files in a folder of journals, oldest first by their names; none if it does not exist.
pub(crate) fn journal_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A path that is safe to print in a message.
pub(super) fn shown(path: &Path) -> String {
    Plain(&path.to_string_lossy()).to_string()
}

fn failed(path: &Path, source: io::Error) -> CreateError {
    CreateError::Create {
        path: path.to_owned(),
        source,
    }
}

/// For example `20260713T101502Z-111122223333-enforce.jsonl`; further files of the same name get a number.
fn name(header: &Header, n: usize) -> String {
    let time = Offset::UTC
        .to_datetime(header.started_at)
        .strftime("%Y%m%dT%H%M%SZ");
    let mut account = header.account.clone();
    account.retain(|letter| letter.is_ascii_alphanumeric());
    let number = if n > 1 {
        format!("-{n}")
    } else {
        String::new()
    };
    format!("{time}-{account}-{}{number}.jsonl", header.act)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    match file.try_lock() {
        // Some file systems do not support locks; no other process writes to a new file.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another process uses it")),
    }
}

/// Creates the folder and its parents, and syncs their directory entries to disk.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|f| !f.exists()).collect();
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    missing
        .into_iter()
        .filter_map(Path::parent)
        .filter(|parent| *parent != Path::new(""))
        .try_for_each(sync_folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Only Unix can open a folder as a file.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::line::RecordedCommand;
    use super::*;

    fn header() -> Header {
        Header {
            act: RecordedCommand::Enforce,
            account: "111122223333".to_owned(),
            by: None,
            started_at: "2026-07-13T10:15:02.123Z".parse().unwrap(),
        }
    }

    #[test]
    fn journals_of_one_second_have_different_names() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().join("state/imdsctl"));
        let names: Vec<String> = (0..3)
            .map(|_| place.create(&header()).unwrap().0)
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            names,
            [
                "20260713T101502Z-111122223333-enforce.jsonl",
                "20260713T101502Z-111122223333-enforce-2.jsonl",
                "20260713T101502Z-111122223333-enforce-3.jsonl"
            ]
        );
    }

    #[test]
    fn an_account_cannot_lead_out_of_the_folder() {
        let account = "../../1".to_owned();
        let header = Header {
            account,
            ..header()
        };
        assert_eq!(name(&header, 1), "20260713T101502Z-1-enforce.jsonl");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_a_journal_and_its_folder() {
        use std::os::unix::fs::PermissionsExt;
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state/imdsctl");
        let (path, _) = Place::Folder(folder.clone()).create(&header()).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
    }
}
