//! Joins reports into one.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::time::Duration;

use imds_core::plain::Plain;
use imds_core::report::Unreachable;
use jiff::Timestamp;

use crate::coverage::{Source, Unexamined};
use crate::document::{CommandTrigger, Document, PolicyIdentity};
use crate::report_file::ReportFile;

/// Why reports cannot be joined.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{}` and `{}` both contain {} of account {}, and `{}` does not say when it finished: name one of them",
    Plain(one),
    Plain(other),
    Plain(region),
    Plain(account),
    Plain(undated)
)]
pub(crate) struct NotJoined {
    one: String,
    other: String,
    account: String,
    region: String,
    undated: String,
}

/// An account and a region.
type Place = (String, String);

/// Joins reports. Where several contain a region of the same account, the newest contributes it. `now` is
/// when the joined report is finished if none of them says when it was.
///
/// # Errors
/// Where it is not known which of them is the newest.
pub(crate) fn join(mut reports: Vec<ReportFile>, now: Timestamp) -> Result<Document, NotJoined> {
    for (n, places) in superseded(&reports)?.into_iter().enumerate() {
        if let Some(report) = reports.get_mut(n) {
            drop_places(report, &places);
        }
    }
    let at = reports.iter().filter_map(ReportFile::finished_at).max();
    let took: f64 = reports.iter().map(|it| it.took_seconds).sum();
    let is_used = |it: &&Source| !it.is_superseded();
    let used = || reports.iter().flat_map(|it| &it.sources).filter(is_used);
    let scopes = || used().filter_map(|it| it.scope.as_ref());
    let usage_days = scopes().filter_map(|scope| scope.usage_days).min();
    let is_searched = |it: &Source| {
        let mut left_out = it.not_examined.iter();
        !left_out.any(|it| it.what == Unexamined::UserData)
    };
    let user_data = used().any(is_searched);
    let policies: BTreeSet<&str> = scopes().map(|it| it.policy.requires.as_str()).collect();
    let policy = PolicyIdentity {
        requires: policies.into_iter().collect::<Vec<_>>().join("; "),
        ..PolicyIdentity::default()
    };
    let mut document = Document {
        policy,
        took: Duration::try_from_secs_f64(took).unwrap_or_default(),
        usage_days,
        user_data,
        ..Document::new(CommandTrigger::Report, at.unwrap_or(now))
    };
    for report in reports {
        document.sources.extend(report.sources);
        document.regions.extend(report.regions);
        document.unreachable.extend(report.unreachable);
        document.instances.extend(report.instances);
        extend(&mut document.templates, report.templates);
        extend(&mut document.defaults, report.defaults);
    }
    sort(&mut document);
    Ok(document)
}

fn extend<T>(all: &mut Option<Vec<T>>, more: Option<Vec<T>>) {
    if let Some(more) = more {
        all.get_or_insert_default().extend(more);
    }
}

fn sort(document: &mut Document) {
    document
        .regions
        .sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    document.instances.sort_by(|a, b| {
        let [a, b] = [a, b].map(|it| (&it.report.account, &it.report.region));
        a.cmp(&b)
    });
    if let Some(found) = &mut document.templates {
        found.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    }
    if let Some(found) = &mut document.defaults {
        found.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    }
    let mut accounts = document.sources.iter().map(|it| &it.account);
    let first = accounts.next().cloned().flatten();
    document.account = first.filter(|first| accounts.all(|it| it.as_ref() == Some(first)));
}

/// The places of each report that a newer one contains too. Where the account is not known, a region is
/// never the same as another one.
fn superseded(reports: &[ReportFile]) -> Result<Vec<BTreeSet<Place>>, NotJoined> {
    let mut lost: Vec<BTreeSet<Place>> = vec![BTreeSet::new(); reports.len()];
    let mut newest: BTreeMap<Place, (usize, &Source)> = BTreeMap::new();
    for (n, report) in reports.iter().enumerate() {
        for total in &report.regions {
            let Some(account) = &total.account else {
                continue;
            };
            let place = (account.clone(), total.region.clone());
            let Some(source) = report.source(Some(account), &total.region) else {
                continue;
            };
            let mut entry = match newest.entry(place) {
                btree_map::Entry::Vacant(entry) => {
                    entry.insert((n, source));
                    continue;
                }
                btree_map::Entry::Occupied(entry) => entry,
            };
            let (other, rival) = *entry.get();
            let loser = if is_newer(source, rival, entry.key())? {
                entry.insert((n, source));
                other
            } else {
                n
            };
            if let Some(places) = lost.get_mut(loser) {
                places.insert(entry.key().clone());
            }
        }
    }
    Ok(lost)
}

/// Whether a report finished after another one.
fn is_newer(source: &Source, rival: &Source, place: &Place) -> Result<bool, NotJoined> {
    let without_date = |undated: &Source| NotJoined {
        one: rival.file.clone(),
        other: source.file.clone(),
        account: place.0.clone(),
        region: place.1.clone(),
        undated: undated.file.clone(),
    };
    let at = source.finished_at.ok_or_else(|| without_date(source))?;
    let other = rival.finished_at.ok_or_else(|| without_date(rival))?;
    Ok(at > other)
}

/// Removes what a newer report contributes.
fn drop_places(report: &mut ReportFile, places: &BTreeSet<Place>) {
    if places.is_empty() {
        return;
    }
    let is_lost = |account: &Option<String>, region: &str| {
        let account = account.as_ref();
        account.is_some_and(|account| places.contains(&(account.clone(), region.to_owned())))
    };
    for source in &mut report.sources {
        let regions = std::mem::take(&mut source.regions).into_iter();
        let (lost, kept) = regions.partition(|region| is_lost(&source.account, region));
        source.regions = kept;
        source.superseded.extend::<Vec<String>>(lost);
    }
    let everything = report.sources.iter().all(Source::is_superseded);
    report
        .regions
        .retain(|it| !is_lost(&it.account, &it.region));
    report.instances.retain(|it| {
        let report = &it.report;
        !is_lost(&report.account, &report.region)
    });
    report
        .unreachable
        .retain(|it: &Unreachable| !everything && !is_lost(&it.account, &it.region));
    if let Some(found) = &mut report.templates {
        found.retain(|it| !is_lost(&it.account, &it.region));
    }
    if let Some(found) = &mut report.defaults {
        found.retain(|it| !is_lost(&it.account, &it.region));
    }
    if everything {
        (report.templates, report.defaults) = (None, None);
    }
}

#[cfg(test)]
mod tests;
