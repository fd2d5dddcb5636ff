//! The journal of a command, how to roll it back, and `imdsctl journals`.

mod list;

use std::path::Path;

use imds_core::chain::chain;

use crate::args::{Act, Connection};
use crate::connect::Connected;
use crate::environment::Environment;
use crate::error::Problem;
use crate::journal::{Ending, Header, Place, RecordedCommand, Writer};
use crate::quote::quoted;
use crate::terminal;

pub(crate) use list::list;

/// Creates a journal in the given file or in the platform's state folder.
pub(super) async fn new_journal(
    act: &Act,
    what: RecordedCommand,
    connected: &Connected,
    environment: &Environment,
) -> Result<Writer, Problem> {
    let by = connected.identity().await?;
    let create = || {
        let place = match &act.journal {
            Some(path) => Place::File(path.clone()),
            None => Place::standard()?,
        };
        let header = Header {
            act: what,
            account: by.account.clone(),
            by: Some(by.arn.clone()),
            started_at: (environment.now)(),
        };
        Writer::create(&place, header, environment.now)
    };
    create().map_err(|error| Problem::Usage(chain(&error)))
}

/// The command that rolls a journal back.
pub(super) fn rollback_command(journal: &Path, connection: &Connection) -> String {
    let (journal, connection) = (quoted(journal), connection.words());
    format!("imdsctl rollback {journal}{connection}")
}

/// Ends the journal, and reports an interruption.
pub(super) fn end(writer: Writer, connected: &Connected) -> Result<(), Problem> {
    let how = Ending::after(&connected.client);
    if how == Ending::Interrupted {
        terminal::say("interrupted: calls in flight were finished and are in the journal");
    }
    writer
        .close(how)
        .map_err(|error| Problem::Failed(chain(&error)))
}
