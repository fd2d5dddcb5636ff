//! How an instance whose calls are refused answers IMDSv1 again.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use imds_core::chain::chain;
use imds_core::instance::{HttpTokens, InstanceId, MetadataOptions};
use serde::Serialize;

use crate::args::Connection;
use crate::journal::{Act, Call, Journal, Place};
use crate::quote::quoted;

/// A command to paste, and why it is that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct WayBack {
    /// What is to be known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// `None`: there is nothing to do.
    pub(super) command: Option<String>,
}

/// The enforcements that the state folder records.
#[derive(Debug)]
pub(super) struct WaysBack {
    /// `None`: there is none.
    folder: Option<PathBuf>,
    /// The newest journal by region and instance.
    newest: HashMap<(String, InstanceId), PathBuf>,
    /// The connection's options, as they are typed.
    connection: String,
}

impl WaysBack {
    /// Reads the journals; what cannot be read is told and left out.
    pub(super) fn read(connection: &Connection) -> Self {
        let folder = match Place::standard() {
            Ok(Place::Folder(folder)) => Some(folder),
            Ok(Place::File(_)) => None,
            Err(error) => {
                eprintln!("imdsctl: {error}");
                None
            }
        };
        let journals = folder.as_deref().map_or_else(Vec::new, enforcements);
        WaysBack {
            newest: newest(&journals),
            folder,
            connection: connection.words(),
        }
    }

    /// By the newest enforcement that can be taken back.
    pub(super) fn find(
        &self,
        region: &str,
        id: &InstanceId,
        http_tokens: Option<HttpTokens>,
    ) -> WayBack {
        if http_tokens == Some(HttpTokens::Optional) {
            return WayBack {
                note: Some("tokens are optional again".to_owned()),
                command: None,
            };
        }
        let connection = &self.connection;
        if let Some(journal) = self.newest.get(&(region.to_owned(), id.clone())) {
            let journal = quoted(journal);
            return WayBack {
                note: None,
                command: Some(format!(
                    "imdsctl rollback {journal} --instance {id}{connection}"
                )),
            };
        }
        WayBack {
            note: Some(match &self.folder {
                Some(folder) => format!(
                    "no journal in {} holds it; where it is in another, `imdsctl rollback` takes that",
                    folder.display()
                ),
                None => "there is no folder with journals".to_owned(),
            }),
            command: Some(format!(
                "aws ec2 modify-instance-metadata-options --region {region} --instance-id {id} \
                 --http-tokens optional --http-endpoint enabled{connection}"
            )),
        }
    }
}

/// The journals of enforcements, the newest first; one that cannot be read is told and left out.
fn enforcements(folder: &Path) -> Vec<Journal> {
    let mut journals = Vec::new();
    for path in files(folder).unwrap_or_else(|error| {
        eprintln!(
            "imdsctl: could not read the folder {}: {error}",
            folder.display()
        );
        Vec::new()
    }) {
        match Journal::read(&path) {
            Ok(journal) if journal.header.act == Act::Enforce => journals.push(journal),
            Ok(_) => {}
            Err(error) => eprintln!("imdsctl: {}", chain(&error)),
        }
    }
    journals.sort_by_key(|journal| std::cmp::Reverse(journal.header.started_at));
    journals
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
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

/// The first journal by which an instance's tokens became required.
fn newest(journals: &[Journal]) -> HashMap<(String, InstanceId), PathBuf> {
    let required = Some(HttpTokens::Required);
    let mut newest = HashMap::new();
    for journal in journals {
        for change in &journal.instances {
            let sent = |call: &Call<MetadataOptions>| call.sent.http_tokens == required;
            if change.before.http_tokens != required && change.calls.iter().any(sent) {
                let instance = (change.region.clone(), change.id.clone());
                newest
                    .entry(instance)
                    .or_insert_with(|| journal.path.clone());
            }
        }
    }
    newest
}
