//! Ctrl-C while something is being changed.

use std::sync::Arc;

use imds_aws::Client;
use tokio::signal;

use crate::error::Problem;
use crate::progress::Progress;

/// From here on Ctrl-C, or the end of the terminal, halts the client: calls under way are finished
/// and recorded, and no other is made. A second Ctrl-C ends the process at once; the journal then
/// holds which calls have no answer.
pub(crate) fn halts(client: &Arc<Client>, progress: &Arc<Progress>) -> Result<(), Problem> {
    let mut signals = Signals::new()
        .map_err(|error| Problem::Failed(format!("could not listen for Ctrl-C: {error}")))?;
    let (client, progress) = (Arc::clone(client), Arc::clone(progress));
    tokio::spawn(async move {
        signals.next().await;
        client.halt();
        progress
            .say("interrupted: finishing the calls under way; press Ctrl-C again to leave them");
        signals.next().await;
        std::process::exit(130);
    });
    Ok(())
}

#[cfg(unix)]
struct Signals([signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Signals([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        // Where Ctrl-C cannot be heard, it ends the process as ever.
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
