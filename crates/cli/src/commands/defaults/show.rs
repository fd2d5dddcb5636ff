//! Tells the defaults: a table for people, JSON for programs.

use imds_core::chain::chain;

use super::Seen;
use crate::args::Plain;
use crate::document::DefaultsRow;
use crate::error::Problem;
use crate::fleet::defaults_row;
use crate::output::json::{field, last, list};
use crate::world::World;
use crate::{commands::files, output, terminal};

pub(super) fn show(seen: &Seen, wanted: &Plain, world: &World) -> Result<(), Problem> {
    if let Err(problem) = &seen.account {
        eprintln!("imdsctl: {}", chain(problem));
    }
    let rows: Vec<DefaultsRow> = seen
        .defaults
        .iter()
        .map(|(region, defaults)| defaults_row(region, defaults.clone()))
        .collect();
    if wanted.json {
        return files::print(|out| {
            writeln!(out, "{{")?;
            field(out, "account", &seen.account.as_ref().ok())?;
            list(out, "defaults", &rows)?;
            last(out, "unseen", &seen.unseen)
        });
    }
    let style = terminal::style(world.var, false);
    files::print(|out| {
        if !rows.is_empty() {
            output::defaults(&rows, &style, out)?;
        }
        output::unseen(&seen.unseen, &style, out)
    })
}
