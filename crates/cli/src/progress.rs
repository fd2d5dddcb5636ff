//! Progress: one line on a terminal, and nothing elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use imds_aws::Client;
use imds_engine::{OnProgress, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::count;
use crate::terminal;

/// The interval at which the line is redrawn.
const TICK: Duration = Duration::from_millis(120);

/// One line on standard error.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    bar: ProgressBar,
    client: Arc<Client>,
    instances: AtomicUsize,
}

impl ProgressLine {
    /// Creates the line; it is hidden if standard error is not a terminal, or shows every request.
    pub(crate) fn new(client: &Arc<Client>) -> Arc<Self> {
        let bar = if std::io::stderr().is_terminal() && !client.is_logged() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        Arc::new(ProgressLine {
            bar,
            client: Arc::clone(client),
            instances: AtomicUsize::new(0),
        })
    }

    /// The callback for the engine's progress.
    pub(crate) fn hear(self: &Arc<Self>) -> OnProgress {
        let line = Arc::clone(self);
        Arc::new(move |progress| match progress {
            Progress::Regions(total) => line.begin("regions", total),
            Progress::Changes(total) => line.begin("instances", total),
            Progress::RegionDone => {
                line.bar.inc(1);
                line.count(0);
            }
            Progress::ChangeDone => {
                line.bar.inc(1);
                line.message("");
            }
            Progress::Instances(n) => line.count(n),
            Progress::WaitingFor(left) => {
                line.message(&format!(" · waiting for {left} to be applied"));
            }
        })
    }

    fn begin(&self, what: &'static str, total: usize) {
        // A finished bar and its ticker no longer draw.
        self.bar.reset();
        self.bar.set_message("");
        // The template is constant; without it the line would only look plainer.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {pos}/{len}{msg}") {
            self.bar.set_style(style);
        }
        self.bar.set_position(0);
        self.bar
            .set_length(u64::try_from(total).unwrap_or(u64::MAX));
        self.bar.set_prefix(what);
        self.bar.enable_steady_tick(TICK);
    }

    /// Adds to the number of described instances.
    fn count(&self, instances: usize) {
        match self.instances.fetch_add(instances, Ordering::Relaxed) + instances {
            0 => self.message(""),
            all => self.message(&format!(" · {}", count(all, "instance"))),
        }
    }

    fn message(&self, what: &str) {
        let throttled = match self.client.throttled() {
            0 => String::new(),
            n => format!(" · {} throttled", count(n, "call")),
        };
        self.bar.set_message(format!("{what}{throttled}"));
    }

    /// Shows how long the command waits before it goes on.
    pub(crate) fn show_wait(&self, left: Duration) {
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        self.message(&format!(" · going on in {minutes}:{seconds:02}"));
    }

    /// Prints a line above the progress line.
    pub(crate) fn print(&self, line: &str) {
        self.bar.suspend(|| terminal::say(line));
    }

    /// Removes the line.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
