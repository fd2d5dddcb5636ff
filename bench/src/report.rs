//! The figures as a table and as JSON.

use std::fmt;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use serde::Serialize;
use serde_json::{Value, json};

use crate::machine::HostMachine;
use crate::stats::Stats;

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct ReportRow {
    section: String,
    what: String,
    unit: Unit,
    floor: Option<Stats>,
    measured: Option<Stats>,
    calls: Option<usize>,
    goal: Option<Goal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    Seconds,
    Bytes,
}

/// The most that the median may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// A multiple of the floor's.
    TimesFloor(f64),
    /// A multiple of the floor's, without any call.
    TimesFloorWithoutCalls(f64),
    /// In the row's unit.
    AtMost(f64),
}

impl ReportRow {
    pub(crate) fn new(section: impl Into<String>, what: impl Into<String>, unit: Unit) -> Self {
        ReportRow {
            section: section.into(),
            what: what.into(),
            unit,
            floor: None,
            measured: None,
            calls: None,
            goal: None,
        }
    }

    pub(crate) fn floor(mut self, samples: impl IntoIterator<Item = f64>) -> Self {
        self.floor = Stats::from_samples(samples);
        self
    }

    pub(crate) fn measured(mut self, samples: impl IntoIterator<Item = f64>) -> Self {
        self.measured = Stats::from_samples(samples);
        self
    }

    /// The number of calls of each event.
    pub(crate) fn calls(mut self, calls: usize) -> Self {
        self.calls = Some(calls);
        self
    }

    pub(crate) fn goal(mut self, goal: impl Into<Option<Goal>>) -> Self {
        self.goal = goal.into();
        self
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.measured?.median / self.floor?.median)
    }

    /// Whether the goal is met; `None` without a goal or a figure.
    fn met(&self) -> Option<bool> {
        match self.goal? {
            Goal::TimesFloor(times) => Some(self.ratio()? <= times),
            Goal::TimesFloorWithoutCalls(times) => {
                Some(self.ratio()? <= times && self.calls == Some(0))
            }
            Goal::AtMost(limit) => Some(self.measured?.median <= limit),
        }
    }

    fn goal_in_words(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::TimesFloor(times)) => format!("≤ {times} × floor"),
            Some(Goal::TimesFloorWithoutCalls(times)) => format!("≤ {times} × floor, 0 calls"),
            Some(Goal::AtMost(limit)) => {
                format!("≤ {}", Scale::for_value(limit, self.unit).one(limit))
            }
        }
    }
}

/// A Markdown table.
pub(crate) fn table(rows: &[ReportRow]) -> Table {
    let mut table = Table::new();
    table
        .load_style(ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "median (least–most)",
            "floor",
            "measured",
            "× floor",
            "calls",
            "goal",
            "",
        ]);
    let mut section = "";
    for row in rows {
        if row.section != section {
            section = &row.section;
            table.add_row([Cell::new(section).add_attribute(Attribute::Bold)]);
        }
        let stats = |stats: Option<Stats>| right(stats.map(|stats| spread(&stats, row.unit)));
        table.add_row([
            Cell::new(&row.what),
            stats(row.floor),
            stats(row.measured),
            right(row.ratio().map(|ratio| format!("{ratio:.2}"))),
            right(row.calls.map(|calls| calls.to_string())),
            Cell::new(row.goal_in_words()),
            Cell::new(match row.met() {
                None => "",
                Some(true) => "met",
                Some(false) => "NOT MET",
            }),
        ]);
    }
    table
}

/// JSON, with times in seconds and sizes in bytes.
pub(crate) fn json(machine: &HostMachine, rows: &[ReportRow]) -> Value {
    let row = |row: &ReportRow| {
        json!({
            "section": row.section, "what": row.what, "unit": row.unit,
            "floor": row.floor, "measured": row.measured, "ratio": row.ratio(),
            "calls": row.calls, "goal": row.goal_in_words(), "met": row.met(),
        })
    };
    json!({ "machine": machine, "rows": rows.iter().map(row).collect::<Vec<_>>() })
}

fn right(text: Option<impl fmt::Display>) -> Cell {
    Cell::new(text.map(|text| text.to_string()).unwrap_or_default())
        .set_alignment(CellAlignment::Right)
}

fn spread(stats: &Stats, unit: Unit) -> String {
    let scale = Scale::for_value(stats.median, unit);
    if stats.samples == 1 {
        return scale.one(stats.median);
    }
    let digits = |value| digits(value / scale.size);
    let Stats {
        median, min, max, ..
    } = *stats;
    format!(
        "{} {} ({}–{})",
        digits(median),
        scale.name,
        digits(min),
        digits(max)
    )
}

/// A suitable unit for a quantity.
struct Scale {
    size: f64,
    name: &'static str,
}

impl Scale {
    fn for_value(value: f64, unit: Unit) -> Self {
        let (size, name) = match unit {
            Unit::Bytes => (1024.0 * 1024.0, "MiB"),
            Unit::Seconds if value >= 0.9995 => (1.0, "s"),
            Unit::Seconds if value >= 0.000_999_5 => (1e-3, "ms"),
            Unit::Seconds => (1e-6, "µs"),
        };
        Scale { size, name }
    }

    fn one(&self, value: f64) -> String {
        format!("{} {}", digits(value / self.size), self.name)
    }
}

/// Three significant digits.
fn digits(value: f64) -> String {
    let decimals = match value {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    match text.strip_suffix(".00").or(text.strip_suffix(".0")) {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ReportRow {
        ReportRow::new("start", "ready", Unit::Seconds)
            .floor([0.002])
            .measured([0.003])
    }

    #[track_caller]
    fn meets(row: ReportRow, goal: Goal) {
        assert_eq!(row.goal(goal).met(), Some(true));
    }

    #[track_caller]
    fn misses(row: ReportRow, goal: Goal) {
        assert_eq!(row.goal(goal).met(), Some(false));
    }

    #[test]
    fn a_goal_applies_to_the_median() {
        let spread = row().measured([0.001, 0.003, 0.9]);
        meets(spread.clone(), Goal::AtMost(0.003));
        misses(spread, Goal::AtMost(0.0029));
    }

    #[test]
    fn a_goal_by_the_floor_is_met_up_to_that_ratio() {
        meets(row(), Goal::TimesFloor(1.5));
        misses(row(), Goal::TimesFloor(1.49));
    }

    #[test]
    fn a_goal_without_calls_is_missed_by_one_call() {
        meets(row().calls(0), Goal::TimesFloorWithoutCalls(2.0));
        misses(row().calls(1), Goal::TimesFloorWithoutCalls(2.0));
        misses(row().calls(0), Goal::TimesFloorWithoutCalls(1.4));
    }

    #[test]
    fn what_was_not_measured_neither_meets_nor_misses_its_goal() {
        let row = ReportRow::new("size", "zip", Unit::Bytes).goal(Goal::AtMost(1.0));
        assert_eq!(row.met(), None);
    }

    #[test]
    fn figures_have_three_digits_in_a_suitable_unit() {
        let shown = |value, unit| Scale::for_value(value, unit).one(value);
        assert_eq!(shown(0.000_042_51, Unit::Seconds), "42.5 µs");
        assert_eq!(shown(0.002_346, Unit::Seconds), "2.35 ms");
        assert_eq!(shown(0.25, Unit::Seconds), "250 ms");
        assert_eq!(shown(2.0, Unit::Seconds), "2 s");
        assert_eq!(shown(2.5 * 1024.0 * 1024.0, Unit::Bytes), "2.50 MiB");
    }

    #[test]
    fn a_spread_shows_the_median_the_least_and_the_most() {
        let rows = [row()
            .measured([0.003, 0.001, 0.004])
            .goal(Goal::TimesFloor(1.5))];
        let table = table(&rows).to_string();
        for part in [
            "start",
            "ready",
            "2 ms",
            "3 ms (1–4)",
            "1.50",
            "≤ 1.5 × floor",
            "met",
        ] {
            assert!(table.contains(part), "`{part}` in\n{table}");
        }
    }

    #[test]
    fn json_has_the_verdict_and_the_figures() {
        let machine = HostMachine::here();
        let json = json(&machine, &[row().goal(Goal::TimesFloor(1.4))]);
        let row = &json["rows"][0];
        assert_eq!(row["met"], false);
        assert_eq!(row["unit"], "seconds");
        assert_eq!(row["measured"]["median"], 0.003);
    }
}
