//! Prints the checks; regions with the same result share a line.

use std::io::{self, Write};

use imds_core::report::VERSION;
use serde::Serialize;

use super::check::{Check, CheckVerdict};
use super::need::Need;
use crate::args::PlainOutput;
use crate::commands::files;
use crate::environment::Environment;
use crate::error::Problem;
use crate::output::{Message, Style, count, json, line};
use crate::terminal::{self, Destination};

/// The checks as JSON.
#[derive(Serialize)]
struct CheckList<'a> {
    version: u8,
    checks: &'a [Check],
    fine: bool,
}

pub(super) fn show(
    checks: &[Check],
    output: &PlainOutput,
    environment: &Environment,
) -> Result<(), Problem> {
    let style = terminal::style(environment.var, Destination::StandardOutput);
    files::print(|out| {
        if output.json {
            let list = CheckList {
                version: VERSION,
                checks,
                fine: !checks.iter().any(Check::is_failed),
            };
            json::write(&list, out)
        } else {
            people(checks, &style, out)
        }
    })
}

fn people(checks: &[Check], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    for check in checks.iter().filter(|check| check.needed_for.is_none()) {
        CheckLine::new(check).write(style, out)?;
    }
    let mut regions: Vec<&str> = checks
        .iter()
        .filter_map(|it| it.region.as_deref())
        .collect();
    regions.sort_unstable();
    regions.dedup();
    for need in Need::ALL {
        for line in lines(checks, need) {
            let everywhere = line.regions == regions;
            CheckLine { everywhere, ..line }.write(style, out)?;
        }
    }
    let has = |verdict| checks.iter().filter(|it| it.verdict == verdict).count();
    let failed = has(CheckVerdict::Failed);
    match (has(CheckVerdict::Missing), has(CheckVerdict::Note)) {
        _ if failed > 0 => writeln!(out, "\n{} found.", count(failed, "problem")),
        (0, 0) => writeln!(out, "\nimdsctl has everything it needs."),
        (0, _) => writeln!(out, "\nNo problems found; see the notes marked with `!`."),
        _ => writeln!(
            out,
            "\nimdsctl can scan; the commands and options marked with `-` lack permissions."
        ),
    }
}

/// Checks with the same result.
struct CheckLine<'a> {
    check: &'a Check,
    permissions: Vec<&'a str>,
    regions: Vec<&'a str>,
    everywhere: bool,
}

impl<'a> CheckLine<'a> {
    fn new(check: &'a Check) -> Self {
        CheckLine {
            check,
            permissions: vec![&check.what],
            regions: check.region.as_deref().into_iter().collect(),
            everywhere: false,
        }
    }

    fn write(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let Check {
            verdict,
            needed_for,
            found,
            next,
            ..
        } = self.check;
        let sign = match verdict {
            CheckVerdict::Fine => "✓",
            CheckVerdict::Note => "!",
            CheckVerdict::Missing => "-",
            CheckVerdict::Failed => "✗",
        };
        let place = match self.everywhere || self.regions.is_empty() {
            true => String::new(),
            false => format!(" in {}", self.regions.join(", ")),
        };
        let need = needed_for.map(|need| format!("{}{place}: ", need.as_str()));
        let found = match (verdict, needed_for) {
            (CheckVerdict::Fine, Some(_)) => String::new(),
            _ => format!(": {}", Message(found)),
        };
        let (need, what) = (need.unwrap_or_default(), self.permissions.join(", "));
        line(&format!("{sign} {need}{what}{found}"), style, out)?;
        match next {
            Some(next) => line(&format!("  next: {next}"), style, out),
            None => Ok(()),
        }
    }

    /// Whether both are told alike, but for the permissions and the regions.
    fn is_like(&self, other: &CheckLine<'_>) -> bool {
        let told = |line: &CheckLine<'a>| {
            let Check {
                verdict,
                found,
                next,
                ..
            } = line.check;
            (*verdict, found.clone(), next.clone())
        };
        let other = (
            other.check.verdict,
            other.check.found.clone(),
            other.check.next.clone(),
        );
        told(self) == other
    }
}

/// One line for each permission and result, then one for all permissions that have it in the same regions.
fn lines(checks: &[Check], need: Need) -> Vec<CheckLine<'_>> {
    let mut lines: Vec<CheckLine<'_>> = Vec::new();
    for check in checks.iter().filter(|check| check.needed_for == Some(need)) {
        let new = CheckLine::new(check);
        let equal =
            |line: &&mut CheckLine<'_>| line.permissions == new.permissions && line.is_like(&new);
        match lines.iter_mut().find(equal) {
            Some(line) => line.regions.extend(new.regions),
            None => lines.push(new),
        }
    }
    let mut merged: Vec<CheckLine<'_>> = Vec::new();
    for new in lines {
        let equal = |line: &&mut CheckLine<'_>| line.regions == new.regions && line.is_like(&new);
        match merged.iter_mut().find(equal) {
            Some(line) => line.permissions.extend(new.permissions),
            None => merged.push(new),
        }
    }
    merged
}
