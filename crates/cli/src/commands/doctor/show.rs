//! Tells it: a line for everything, and for each region one line for all that is fine there.

use std::io::{self, Write};

use imds_core::plain::Plain;

use super::check::{Check, Verdict};
use crate::commands::files;
use crate::error::Problem;
use crate::output::json::{last, list};
use crate::output::{Message, count};

pub(super) fn show(checks: &[Check], json: bool) -> Result<(), Problem> {
    files::print(|out| {
        if json {
            writeln!(out, "{{")?;
            list(out, "checks", checks)?;
            last(out, "fine", &!checks.iter().any(Check::is_wrong))
        } else {
            people(checks, out)
        }
    })
}

fn people(checks: &[Check], out: &mut dyn Write) -> io::Result<()> {
    for checks in checks.chunk_by(|a, b| a.region.is_some() && a.region == b.region) {
        let region = checks.first().and_then(|check| check.region.as_deref());
        let (fine, others): (Vec<&Check>, Vec<&Check>) =
            checks.iter().partition(|check| check.is_fine());
        match region {
            None => {
                for check in fine {
                    writeln!(out, "✓ {}: {}", check.what, Message(&check.found))?;
                }
            }
            Some(region) if !fine.is_empty() => {
                let what: Vec<&str> = fine.iter().map(|check| check.what).collect();
                writeln!(out, "✓ {}: allowed: {}", Plain(region), what.join(", "))?;
            }
            Some(_) => {}
        }
        for check in others {
            other(check, out)?;
        }
    }
    let wrong = checks.iter().filter(|check| check.is_wrong()).count();
    match wrong {
        0 if checks.iter().all(Check::is_fine) => {
            writeln!(out, "\nAll that imdsctl needs is there.")
        }
        0 => writeln!(
            out,
            "\nNothing is known to be missing; see the lines with `!`."
        ),
        n => writeln!(out, "\n{} missing.", count(n, "thing")),
    }
}

fn other(check: &Check, out: &mut dyn Write) -> io::Result<()> {
    let sign = match check.verdict {
        Verdict::Fine => "✓",
        Verdict::Note => "!",
        Verdict::Wrong => "✗",
    };
    let region = check.region.as_deref();
    let region = region.map_or_else(String::new, |region| format!("{}: ", Plain(region)));
    writeln!(
        out,
        "{sign} {region}{}: {}",
        check.what,
        Message(&check.found)
    )?;
    if let Some(next) = &check.next {
        writeln!(out, "  next: {next}")?;
    }
    Ok(())
}
