//! What a person sees while it works: on a terminal one line, elsewhere nothing.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(120);

/// One line on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    regions: AtomicUsize,
    instances: AtomicUsize,
}

impl Progress {
    /// Hidden where standard error is no terminal.
    pub(crate) fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        Progress {
            bar,
            regions: AtomicUsize::new(0),
            instances: AtomicUsize::new(0),
        }
    }

    /// How many regions are to be seen.
    pub(crate) fn begin(&self, what: &'static str, total: usize) {
        self.regions.store(0, Ordering::Relaxed);
        // A bar that has ended draws no more, and neither does its ticker.
        self.bar.reset();
        self.bar.set_message("");
        // The template is a constant; without it the line only looks plainer.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {pos}/{len}{msg}") {
            self.bar.set_style(style);
        }
        self.bar.set_position(0);
        self.bar
            .set_length(u64::try_from(total).unwrap_or(u64::MAX));
        self.bar.set_prefix(what);
        self.bar.enable_steady_tick(TICK);
    }

    /// So many more instances were seen.
    pub(crate) fn seen(&self, instances: usize, throttled: usize) {
        let seen = self.instances.fetch_add(instances, Ordering::Relaxed) + instances;
        self.tell(&format!(" · {seen} instances"), throttled);
    }

    /// One more is done.
    pub(crate) fn done(&self) {
        self.bar.inc(1);
    }

    /// What else there is to tell.
    pub(crate) fn tell(&self, what: &str, throttled: usize) {
        let throttled = match throttled {
            0 => String::new(),
            n => format!(" · {n} calls throttled"),
        };
        self.bar.set_message(format!("{what}{throttled}"));
    }

    /// Prints a line above.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// The line goes.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
