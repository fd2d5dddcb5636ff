//! Which report contributes a region.

use std::path::Path;

use imds_engine::RegionTotal;

use super::*;
use crate::output::{Format, Style, sample, write};

/// The report of a scan of three regions that finished on this day of November.
fn report(file: &str, account: Option<&str>, day: u8) -> ReportFile {
    let mut document = sample::fleet(30);
    document.at = format!("2026-11-{day:02}T15:11:57Z").parse().unwrap();
    document.account = account.map(str::to_owned);
    for total in &mut document.regions {
        total.account = account.map(str::to_owned);
    }
    for instance in &mut document.instances {
        instance.report.account = account.map(str::to_owned);
    }
    let mut out = Vec::new();
    write(Format::Json, &document, &Style::default(), &mut out).unwrap();
    ReportFile::parse(Path::new(file), &String::from_utf8(out).unwrap()).unwrap()
}

fn now() -> Timestamp {
    "2026-11-30T00:00:00Z".parse().unwrap()
}

fn regions(totals: &[RegionTotal]) -> Vec<&str> {
    totals.iter().map(|it| it.region.as_str()).collect()
}

#[test]
fn the_newest_report_contributes_a_region_in_any_order() {
    let account = Some("123456789012");
    let files = [("a.json", 3), ("b.json", 9), ("c.json", 6)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let reports = order.map(|n| report(files[n].0, account, files[n].1));
        let newest = report("b.json", account, 9);
        let joined = join(reports.into(), now()).unwrap();
        assert_eq!(joined.instances, newest.instances);
        assert_eq!(joined.regions, newest.regions);
        assert_eq!(Some(joined.at), newest.finished_at());
        let used = joined.sources.iter().filter(|it| !it.is_superseded());
        assert_eq!(used.map(|it| &it.file).collect::<Vec<_>>(), ["b.json"]);
    }
}

#[test]
fn without_an_account_no_region_replaces_another() {
    let reports = vec![report("a.json", None, 3), report("b.json", None, 9)];
    let joined = join(reports, now()).unwrap();
    assert_eq!(joined.regions.len(), 6);
    assert_eq!(joined.instances.len(), 60);
}

#[test]
fn another_account_replaces_nothing_and_the_accounts_stay_together() {
    let reports = vec![
        report("b.json", Some("222222222222"), 9),
        report("a.json", Some("111111111111"), 3),
    ];
    let joined = join(reports, now()).unwrap();
    assert_eq!(joined.account, None);
    assert_eq!(joined.instances.len(), 60);
    assert_eq!(
        regions(&joined.regions),
        [sample::REGIONS, sample::REGIONS].concat()
    );
    let accounts: Vec<_> = joined
        .regions
        .iter()
        .map(|it| it.account.as_deref())
        .collect();
    assert!(accounts.is_sorted());
}
