//! Permissions on the state table, where one is named.

use futures_util::future::join;
use imds_aws::{CallError, Client, StateTable};
use imds_core::state::{EntryKind, Key};

use super::check::Check;
use super::need::Need;
use super::region::{nobody, refused};

const ENTRIES: &str = "dynamodb:BatchGetItem on `exempt#*` and `pause#*`";
const WATCHED: &str = "dynamodb:BatchGetItem on `watch#*`";
const LIST: &str = "dynamodb:Scan";
const WRITES: [&str; 2] = ["dynamodb:UpdateItem", "dynamodb:DeleteItem"];

/// Checks every permission to read; only one if the table does not answer, as the others would fail alike.
pub(super) async fn check(client: &Client, table: &StateTable, account: &str) -> Vec<Check> {
    let nobody = nobody();
    let watched: Vec<Key> = nobody.iter().map(Key::watch).collect();
    let pause = Key::pause(account, None);
    let entries = nobody.iter().map(Key::exemption).chain([pause]);
    let entries: Vec<Key> = entries.collect();
    let entries = client.get_items(table, &entries).await;
    let entries = verdict(ENTRIES, entries.as_ref().err()).of(None, Need::StateTable);
    if entries.is_failed() {
        return vec![entries];
    }
    let (watched, listed) = join(
        client.get_items(table, &watched),
        client.entries(table, EntryKind::Exemption),
    )
    .await;
    let writes = WRITES.map(|what| {
        let check = Check::note(what, "not tried: it would change the table".to_owned());
        check.of(None, Need::WriteEntries)
    });
    let reads = [
        entries,
        verdict(WATCHED, watched.as_ref().err()).of(None, Need::Watched),
        verdict(LIST, listed.as_ref().err()).of(None, Need::ListEntries),
    ];
    reads.into_iter().chain(writes).collect()
}

fn verdict(what: &str, error: Option<&CallError>) -> Check {
    match error {
        None => Check::fine(what, "allowed".to_owned()),
        Some(error) if error.is_denied() => refused(what, error),
        Some(error) => {
            let next =
                "check the name and the region of the table, and that DynamoDB can be reached";
            Check::failed(what, error.cause(), next)
        }
    }
}
