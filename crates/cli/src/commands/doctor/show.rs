//! Prints one line per check; the passed checks of a region share one line.

use std::io::{self, Write};

use imds_core::plain::Plain;
use imds_core::report::VERSION;
use serde::Serialize;

use super::check::{Check, CheckVerdict};
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
    for checks in checks.chunk_by(|a, b| a.region.is_some() && a.region == b.region) {
        let region = checks.first().and_then(|check| check.region.as_deref());
        let (fine, others): (Vec<&Check>, Vec<&Check>) =
            checks.iter().partition(|check| check.is_fine());
        match region {
            None => {
                for check in fine {
                    let text = format!("✓ {}: {}", check.what, Message(&check.found));
                    line(&text, style, out)?;
                }
            }
            Some(region) if !fine.is_empty() => {
                let what: Vec<&str> = fine.iter().map(|check| check.what).collect();
                let text = format!("✓ {}: allowed: {}", Plain(region), what.join(", "));
                line(&text, style, out)?;
            }
            Some(_) => {}
        }
        for check in others {
            other(check, style, out)?;
        }
    }
    let failed = checks.iter().filter(|check| check.is_failed()).count();
    match failed {
        0 if checks.iter().all(Check::is_fine) => {
            writeln!(out, "\nimdsctl has everything it needs.")
        }
        0 => writeln!(out, "\nNo problems found; see the notes marked with `!`."),
        n => writeln!(out, "\n{} found.", count(n, "problem")),
    }
}

fn other(check: &Check, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let sign = match check.verdict {
        CheckVerdict::Fine => "✓",
        CheckVerdict::Note => "!",
        CheckVerdict::Failed => "✗",
    };
    let region = check.region.as_deref();
    let region = region.map_or_else(String::new, |region| format!("{}: ", Plain(region)));
    let found = Message(&check.found);
    line(
        &format!("{sign} {region}{}: {found}", check.what),
        style,
        out,
    )?;
    match &check.next {
        Some(next) => line(&format!("  next: {next}"), style, out),
        None => Ok(()),
    }
}
