//! `usage --rejected --watch`: reads again and again, and prints what is new.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use imds_core::chain::chain;
use imds_core::instance::InstanceId;
use imds_core::plain::Plain;
use imds_core::report::Unreachable;
use imds_engine::InstanceCalls;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::sleep;

use super::{UsageDocument, UsageRow, UsageSurveyor};
use crate::commands::interrupt::EndSignals;
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::output::{Format, Message, count};

/// Rejected calls of an instance that were not there the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct NewCalls<'a> {
    /// When they were read.
    at: Timestamp,
    /// How many more than the last time; `None` if the window has lost older ones since.
    more: Option<u64>,
    #[serde(flatten)]
    row: UsageRow<'a>,
}

/// What was printed.
#[derive(Debug, Default)]
struct Seen {
    calls: HashMap<InstanceId, (Option<u64>, Option<Timestamp>)>,
    unreachable: Vec<Unreachable>,
    /// Whether anything was read, and whether the last reading failed.
    begun: bool,
    failed: bool,
}

impl Seen {
    /// The instances with calls that are new, which count as printed from now on.
    fn news<'a>(&mut self, document: &'a UsageDocument) -> Vec<NewCalls<'a>> {
        let mut news = Vec::new();
        for row in document.rows() {
            let InstanceCalls {
                instance_id,
                calls,
                last_at,
                ..
            } = row.calls;
            let now = (*calls, *last_at);
            let before = self.calls.insert(instance_id.clone(), now);
            let (calls_before, last_before) = before.unwrap_or((Some(0), None));
            let more = calls
                .zip(calls_before)
                .and_then(|(now, before)| now.checked_sub(before));
            let more = more.filter(|more| *more > 0);
            if more.is_some() || *last_at > last_before {
                let at = document.options.now;
                news.push(NewCalls { at, more, row });
            }
        }
        news
    }

    /// The errors that were not there the last time.
    fn new_errors<'a>(&mut self, document: &'a UsageDocument) -> Vec<&'a Unreachable> {
        let errors = &document.survey.unreachable;
        let new = errors
            .iter()
            .filter(|error| !self.unreachable.contains(error));
        let new = new.collect();
        self.unreachable.clone_from(errors);
        new
    }
}

/// Reads until Ctrl-C. The exit code is of all that was printed, and of what could not be read the last time.
pub(super) async fn watch(
    surveyor: &UsageSurveyor<'_>,
    every: Duration,
    format: Format,
    environment: &Environment,
) -> Result<Exit, Problem> {
    let mut signals = EndSignals::new().map_err(Problem::signals)?;
    let mut seen = Seen::default();
    loop {
        let document = tokio::select! {
            document = surveyor.survey((environment.now)()) => document,
            () = signals.next() => break,
        };
        seen.failed = document.is_err();
        match document {
            Ok(document) => match show(&mut seen, &document, format) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                shown => shown.map_err(Problem::Print)?,
            },
            // What fails at once fails always.
            Err(problem) if !seen.begun => return Err(problem),
            Err(problem) => eprintln!("{:.0} imdsctl: {}", (environment.now)(), chain(&problem)),
        }
        seen.begun = true;
        tokio::select! {
            () = sleep(every) => {}
            () = signals.next() => break,
        }
    }
    Ok(if seen.failed || !seen.unreachable.is_empty() {
        Exit::Failed
    } else if seen.calls.is_empty() {
        Exit::Fine
    } else {
        Exit::Violations
    })
}

fn show(seen: &mut Seen, document: &UsageDocument, format: Format) -> io::Result<()> {
    for error in seen.new_errors(document) {
        let (at, region) = (document.options.now, Plain(&error.region));
        let error = Message(&error.error);
        eprintln!("{at:.0} {region}: could not be read: {error}");
    }
    print(&seen.news(document), document, format)
}

fn print(news: &[NewCalls<'_>], document: &UsageDocument, format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for new in news {
        if format == Format::Json {
            serde_json::to_writer(&mut out, new)?;
            writeln!(out)?;
        } else {
            line(new, document.options.days, &mut out)?;
        }
    }
    out.flush()
}

fn line(new: &NewCalls<'_>, days: u8, out: &mut impl Write) -> io::Result<()> {
    let NewCalls { at, more, row } = new;
    let InstanceCalls {
        region,
        instance_id,
        name,
        calls,
        last_at,
        ..
    } = row.calls;
    let name = name.iter().map(|name| format!(" ({})", Plain(name)));
    let more = more.map(|more| format!("{more} more, "));
    let all = calls.map_or_else(
        || "an unknown number of calls".to_owned(),
        |n| count(n, "call"),
    );
    let last = last_at.iter().map(|at| format!(", the last after {at:.0}"));
    writeln!(
        out,
        "{at:.0} {} {instance_id}{}: {}{all} rejected in {}{}",
        Plain(region),
        name.collect::<String>(),
        more.unwrap_or_default(),
        count(days, "day"),
        last.collect::<String>(),
    )?;
    match row.rollback.and_then(|hint| hint.command.as_ref()) {
        Some(command) => writeln!(out, "  to make IMDSv1 answer again: {}", Message(command)),
        None => Ok(()),
    }
}
