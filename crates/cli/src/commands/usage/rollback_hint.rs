//! How to make an instance answer IMDSv1 again whose calls are rejected.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use imds_core::chain::chain;
use imds_core::instance::InstanceId;
use imds_core::options::HttpTokens;
use imds_engine::InstanceCalls;
use serde::Serialize;

use crate::args::Connection;
use crate::journal::{Journal, Place, RecordedCommand, journal_files};
use crate::quote::quoted;
use crate::terminal;

/// A command to paste, and a note on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RollbackHint {
    /// What to know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// `None`: there is nothing to do.
    pub(super) command: Option<String>,
}

/// The enforcements that the state folder records.
#[derive(Debug)]
pub(super) struct RollbackHints {
    /// `None`: there is none.
    folder: Option<PathBuf>,
    /// The newest journal by region and instance.
    newest: HashMap<(String, InstanceId), PathBuf>,
    /// The connection's options, as they are typed.
    connection: String,
}

impl RollbackHints {
    /// Reads the journals; those that cannot be read are named and left out.
    pub(super) fn read(connection: &Connection) -> Self {
        let folder = match Place::standard() {
            Ok(Place::Folder(folder)) => Some(folder),
            Ok(Place::File(_)) => None,
            Err(error) => {
                terminal::say(format!("imdsctl: {error}"));
                None
            }
        };
        let journals = folder.as_deref().map_or_else(Vec::new, enforcements);
        RollbackHints {
            newest: newest(&journals),
            folder,
            connection: connection.words(),
        }
    }

    /// By the newest enforcement of each instance.
    pub(super) fn find_all(&self, instances: &[InstanceCalls]) -> Vec<RollbackHint> {
        let hint = |it: &InstanceCalls| self.find(&it.region, &it.instance_id, it.http_tokens);
        instances.iter().map(hint).collect()
    }

    fn find(&self, region: &str, id: &InstanceId, http_tokens: Option<HttpTokens>) -> RollbackHint {
        if http_tokens == Some(HttpTokens::Optional) {
            return RollbackHint {
                note: Some("tokens are already optional".to_owned()),
                command: None,
            };
        }
        let connection = &self.connection;
        if let Some(journal) = self.newest.get(&(region.to_owned(), id.clone())) {
            let journal = quoted(journal);
            return RollbackHint {
                note: None,
                command: Some(format!(
                    "imdsctl rollback {journal} --instance {id}{connection}"
                )),
            };
        }
        RollbackHint {
            note: Some(match &self.folder {
                Some(folder) => format!(
                    "no journal in {} contains it; if another one does, run `imdsctl rollback` with that",
                    folder.display()
                ),
                None => "there is no folder with journals".to_owned(),
            }),
            command: Some(format!(
                "aws ec2 modify-instance-metadata-options --region {region} --instance-id {id} \
                 --http-tokens optional{connection}"
            )),
        }
    }
}

/// The journals of enforcements, the newest first; one that cannot be read is named and left out.
fn enforcements(folder: &Path) -> Vec<Journal> {
    let mut journals = Vec::new();
    for path in journal_files(folder).unwrap_or_else(|error| {
        let folder = folder.display();
        terminal::say(format!(
            "imdsctl: could not read the folder {folder}: {error}"
        ));
        Vec::new()
    }) {
        match Journal::read(&path) {
            Ok(journal) if journal.header.act == RecordedCommand::Enforce => journals.push(journal),
            Ok(_) => {}
            Err(error) => terminal::say(format!("imdsctl: {}", chain(&error))),
        }
    }
    journals.sort_by_key(|journal| std::cmp::Reverse(journal.header.started_at));
    journals
}

/// The first journal by which an instance's tokens became required.
fn newest(journals: &[Journal]) -> HashMap<(String, InstanceId), PathBuf> {
    let required = Some(HttpTokens::Required);
    let mut newest = HashMap::new();
    for journal in journals {
        for change in &journal.changes.instances {
            let mut calls = change.calls.iter();
            let sent = calls.any(|call| call.sent.http_tokens == required);
            if sent && change.before.http_tokens != required {
                let instance = (change.key.region.clone(), change.key.id.clone());
                newest
                    .entry(instance)
                    .or_insert_with(|| journal.path.clone());
            }
        }
    }
    newest
}
