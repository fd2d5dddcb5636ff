//! What the rows hold in sum, from one reading of them; as large for 100,000 rows as for 1,000.

use std::collections::BTreeMap;

use imds_core::instance::HttpTokens;
use imds_core::usage::Usage;
use jiff::Timestamp;

use super::words::Source;
use crate::document::Document;
use crate::row::{Row, Verdict};

/// What the rows hold in sum.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Whether they belong to more than one account.
    pub(super) several_accounts: bool,
    /// Those that `enforce` would set.
    pub(super) to_enforce: usize,
    /// Those of [`Survey::to_enforce`] that did not use IMDSv1.
    pub(super) to_enforce_unused: usize,
    /// Wrong ones by how they use IMDSv1.
    pub(super) used: Used,
    /// Those with the most calls, the first with most; at most [`BUSIEST`].
    pub(super) busiest: Vec<InUse>,
    /// What would launch the next wrong one, by region, and how many came from it; at most [`SOURCES`].
    pub(super) sources: BTreeMap<(String, Source), usize>,
    /// Whether there are more sources.
    pub(super) more_sources: bool,
    /// Calls without a token in the user data of instances.
    pub(super) findings: usize,
    account: Option<Option<String>>,
}

/// How many use IMDSv1.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    /// Not once in the window.
    pub(super) unused: usize,
    /// At least once.
    pub(super) in_use: usize,
    /// There is no telling.
    pub(super) unknown: usize,
}

/// An instance that uses IMDSv1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InUse {
    /// Successful calls without a token in the window.
    pub(super) calls: u64,
    /// Where the period of the last one begins.
    pub(super) last_at: Timestamp,
    /// The instance's id.
    pub(super) id: String,
    /// Its region.
    pub(super) region: String,
    /// The tag `Name`.
    pub(super) name: Option<String>,
    /// Whether IMDSv1 is refused by now.
    pub(super) enforced: bool,
}

/// How many that use IMDSv1 are told beside the table of all.
pub(super) const BUSIEST: usize = 10;
/// How many sources are kept.
const SOURCES: usize = 100;

impl Survey {
    /// Reads every row.
    pub(super) fn of(document: &Document) -> Self {
        let mut survey = Survey::default();
        for row in &document.rows {
            survey.add(row);
        }
        survey
    }

    fn add(&mut self, row: &Row) {
        let first = self.account.get_or_insert_with(|| row.account.clone());
        self.several_accounts |= *first != row.account;
        self.findings += row.user_data.len();
        let enforce = row.decision == Verdict::Enforce;
        self.to_enforce += usize::from(enforce);
        match &row.report.usage {
            Some(Usage::Unused { .. }) => {
                self.used.unused += 1;
                self.to_enforce_unused += usize::from(enforce);
            }
            Some(Usage::InUse { calls, last_at }) => {
                self.used.in_use += 1;
                self.add_in_use(row, *calls, *last_at);
            }
            Some(Usage::Unknown { .. }) => self.used.unknown += 1,
            None => {}
        }
        if let Some(source) = Source::of(row) {
            let full = self.sources.len() >= SOURCES;
            let key = (row.report.region.clone(), source);
            match self.sources.get_mut(&key) {
                Some(count) => *count += 1,
                None if full => self.more_sources = true,
                None => drop(self.sources.insert(key, 1)),
            }
        }
    }

    fn add_in_use(&mut self, row: &Row, calls: u64, last_at: Timestamp) {
        let place = self.busiest.partition_point(|other| other.calls >= calls);
        if place >= BUSIEST {
            return;
        }
        let options = row.report.after.or(row.report.before);
        let found = InUse {
            calls,
            last_at,
            id: row.report.instance_id.to_string(),
            region: row.report.region.clone(),
            name: row.name.clone(),
            enforced: options.and_then(|options| options.http_tokens) == Some(HttpTokens::Required),
        };
        self.busiest.insert(place, found);
        self.busiest.truncate(BUSIEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    #[test]
    fn the_busiest_come_first_and_no_more_than_the_most() {
        let rows: Vec<Row> = (0..250)
            .map(|n| {
                let mut row = sample::row(n);
                row.report.usage = Some(Usage::InUse {
                    calls: (n as u64 * 7919) % 251,
                    last_at: sample::now(),
                });
                row
            })
            .collect();
        let survey = Survey::of(&sample::document(&rows));
        let calls: Vec<u64> = survey.busiest.iter().map(|found| found.calls).collect();
        let mut all: Vec<u64> = (0..250).map(|n| (n * 7919) % 251).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(calls, all[..BUSIEST]);
        assert_eq!(survey.used.in_use, 250);
    }

    #[test]
    fn sources_are_counted_and_bounded() {
        let rows: Vec<Row> = (0..300)
            .map(|n| {
                let mut row = sample::row(n);
                row.decision = Verdict::Report;
                row.report.launch_template = None;
                row.auto_scaling_group = Some(format!("group-{}", n % 150));
                row.report.region = "eu-west-1".to_owned();
                row
            })
            .collect();
        let survey = Survey::of(&sample::document(&rows));
        assert_eq!(survey.sources.len(), SOURCES);
        assert!(survey.more_sources);
        assert!(survey.sources.values().all(|count| *count == 2));
    }

    #[test]
    fn a_second_account_is_noticed() {
        let mut rows = vec![sample::row(1), sample::row(2)];
        assert!(!Survey::of(&sample::document(&rows)).several_accounts);
        rows[1].account = Some("444455556666".to_owned());
        assert!(Survey::of(&sample::document(&rows)).several_accounts);
    }
}
