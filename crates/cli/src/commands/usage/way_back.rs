//! How an instance whose calls are refused answers IMDSv1 again.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use imds_core::instance::{HttpTokens, InstanceId, MetadataOptions};
use serde::Serialize;

use super::member::Member;
use crate::args::Connection;
use crate::commands::enforce::quoted;
use crate::error::chain;
use crate::journal::{Act, Call, Journal, Place};

/// A command to paste, and why it is that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct WayBack {
    /// What is to be known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// `None`: there is nothing to do.
    pub(super) command: Option<String>,
}

/// Finds for each the newest enforcement of the state folder that can be taken back.
pub(super) fn find(members: &mut [Member], connection: &Connection) {
    if members.is_empty() {
        return;
    }
    let folder = match Place::standard() {
        Ok(Place::Folder(folder)) => Some(folder),
        Ok(Place::File(_)) => None,
        Err(error) => {
            eprintln!("imdsctl: {error}");
            None
        }
    };
    let journals = folder.as_deref().map_or_else(Vec::new, enforcements);
    let newest = newest(&journals);
    let where_to = connection.words();
    for member in members {
        let (region, id) = (member.region.as_str(), &member.instance_id);
        let journal = newest.get(&(region, id));
        member.way_back = Some(match (member.http_tokens, journal) {
            (Some(HttpTokens::Optional), _) => WayBack {
                note: Some("tokens are optional again".to_owned()),
                command: None,
            },
            (_, Some(journal)) => WayBack {
                note: None,
                command: Some(format!(
                    "imdsctl rollback {} --instance {id}{where_to}",
                    quoted(journal)
                )),
            },
            (_, None) => WayBack {
                note: Some(match &folder {
                    Some(folder) => format!(
                        "no journal in {} holds it; where it is in another, `imdsctl rollback` takes that",
                        folder.display()
                    ),
                    None => "there is no folder with journals".to_owned(),
                }),
                command: Some(format!(
                    "aws ec2 modify-instance-metadata-options --region {region} --instance-id {id} \
                     --http-tokens optional --http-endpoint enabled{where_to}"
                )),
            },
        });
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
fn newest(journals: &[Journal]) -> HashMap<(&str, &InstanceId), &Path> {
    let required = Some(HttpTokens::Required);
    let mut newest = HashMap::new();
    for journal in journals {
        for change in &journal.instances {
            let sent = |call: &Call<MetadataOptions>| call.sent.http_tokens == required;
            if change.before.http_tokens != required && change.calls.iter().any(sent) {
                let instance = (change.region.as_str(), &change.id);
                newest.entry(instance).or_insert(journal.path.as_path());
            }
        }
    }
    newest
}
