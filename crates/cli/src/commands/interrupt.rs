//! Ctrl-C while something is being changed.

use std::sync::Arc;

use imds_aws::Client;
use tokio::signal;

use crate::error::Problem;
use crate::progress::ProgressLine;

/// From here on, Ctrl-C or closing the terminal halts the client: calls in flight are finished and
/// recorded, and no further call is made. A second Ctrl-C ends the process immediately; the journal then
/// shows which calls have no answer.
pub(crate) fn halts(client: &Arc<Client>, progress: &Arc<ProgressLine>) -> Result<(), Problem> {
    let mut signals = EndSignals::new().map_err(Problem::signals)?;
    let (client, progress) = (Arc::clone(client), Arc::clone(progress));
    tokio::spawn(async move {
        signals.next().await;
        client.halt();
        progress.print(
            "interrupted: finishing the calls in flight; press Ctrl-C again to quit immediately",
        );
        signals.next().await;
        std::process::exit(130);
    });
    Ok(())
}

/// Ctrl-C, and what else asks a command to end.
#[cfg(unix)]
pub(crate) struct EndSignals([signal::unix::Signal; 3]);

#[cfg(unix)]
impl EndSignals {
    pub(crate) fn new() -> std::io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(EndSignals([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
pub(crate) struct EndSignals;

#[cfg(not(unix))]
impl EndSignals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(EndSignals)
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        // If Ctrl-C cannot be caught, it ends the process.
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
