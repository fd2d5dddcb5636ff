//! The table in README.md, between two comments.

use std::fs;
use std::path::PathBuf;

use imds_tests::REGIONS;

use crate::month::{Costs, SERVICES, alarms, default_memory};
use crate::prices::*;

const BEGIN: &str = "<!-- costs: written by `UPDATE=1 cargo test -p imds-tests --test costs` -->";
const END: &str = "<!-- /costs -->";

/// The table with its assumptions.
pub(crate) fn render(rows: &[(String, Costs)]) -> String {
    let mut lines = vec![
        format!("| accounts | {} | **total** |", SERVICES.join(" | ")),
        format!("| --- |{}", " ---: |".repeat(SERVICES.len() + 1)),
    ];
    lines.extend(rows.iter().map(|(name, costs)| row(name, costs)));
    for assumption in assumptions() {
        lines.extend([String::new(), assumption]);
    }
    lines.join("\n")
}

/// The total is that of the cells, each rounded to the cent.
fn row(name: &str, costs: &Costs) -> String {
    let cents = costs.map(|usd| (usd * 100.0).round());
    let total = dollars(cents.iter().sum());
    let cells = cents.map(dollars);
    format!("| {name} | {} | **{total}** |", cells.join(" | "))
}

/// With a comma before the thousands.
fn dollars(cents: f64) -> String {
    let dollars = format!("{:.2}", cents / 100.0);
    match dollars.len().checked_sub("000.00".len()) {
        Some(thousands @ 1..) => {
            let (thousands, rest) = dollars.split_at(thousands);
            format!("{thousands},{rest}")
        }
        _ => dollars,
    }
}

fn assumptions() -> [String; 2] {
    [
        format!(
            "In each account: {} Regions, hourly sweeps, {LAUNCHES_A_DAY} launches per day. With leftovers: \
             {NON_COMPLIANT_LAUNCHES_A_DAY} of these launches are enforced, and the options of {DRIFTS_A_DAY} instance per \
             day are changed back; each of {REGIONS_WITH_INSTANCES} Regions has {IN_USE_EACH} instances that use IMDSv1 and \
             {EXEMPT_EACH} that are exempt; once a day, a sweep enforces {UNUSED_EACH} in each of them, and one launch that no \
             event reported.",
            REGIONS.len()
        ),
        format!(
            "The module's defaults: {} alarms, {} MB (x86). Assumed, not measured: {SWEEP_SECONDS} s of billed duration per \
             sweep and {} ms per event, and a state table of 1 MB. Not included: SNS, SQS, log storage, CloudTrail, and \
             customer managed KMS keys.",
            alarms(),
            default_memory(),
            EVENT_SECONDS * 1000.0
        ),
    ]
}

/// What README has between the comments. With `UPDATE=1`, it is written first.
pub(crate) fn in_readme(expected: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_none() {
        return written.trim().to_owned();
    }
    let updated = format!("{before}{BEGIN}\n\n{expected}\n\n{END}{after}");
    fs::write(&path, updated).unwrap();
    expected.to_owned()
}
