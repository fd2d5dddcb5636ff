//! Fleets for tests.

use std::time::Duration;

use imds_core::instance::{HttpTokens, InstanceId, LaunchTemplate, MetadataOptions, State, Toggle};
use imds_core::report::{InstanceReport, Outcome, Summary, Unseen};
use imds_core::usage::{NotKnown, Usage};
use imds_user_data::Finding;
use jiff::Timestamp;

use crate::document::{DefaultsRow, Document, RegionTotal, TemplateRow};
use crate::row::{Row, Verdict};

pub(super) const REGIONS: [&str; 6] = [
    "ap-southeast-2",
    "eu-central-1",
    "eu-west-1",
    "sa-east-1",
    "us-east-1",
    "us-west-2",
];

pub(super) const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(1)\" x='",
    "invoice\u{202e}fdp.exe",
    "=HYPERLINK(\"http://evil.example\",\"click\")",
    "two\nlines\u{1b}[31m\u{9b}2J",
    "数据库主节点-שלום-🦀🦀",
];

pub(super) fn now() -> Timestamp {
    "2026-11-23T15:11:57Z".parse().unwrap()
}

/// A wrong instance that may be enforced.
pub(crate) fn row(n: usize) -> Row {
    let options = MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        hop_limit: Some(1.try_into().unwrap()),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    };
    let id = format!("i-{:017x}", 0x0a1b_2c3d_4e5f_0000_u64 + n as u64 * 7919);
    let reason = "http_tokens is optional, not required; by `on_violation`";
    Row {
        report: InstanceReport {
            instance_id: InstanceId::try_from(id).unwrap(),
            region: REGIONS[4].to_owned(),
            outcome: Outcome::Reported,
            rule: None,
            violations: vec!["http_tokens".into()],
            before: Some(options),
            after: None,
            launch_template: None,
            changed_by: None,
            mends: None,
            usage: None,
            breaking: None,
            launched_at: Some("2025-02-03T04:05:06Z".parse().unwrap()),
            reason: reason.to_owned(),
        },
        account: Some("123456789012".to_owned()),
        name: Some(format!("web-{n}")),
        state: Some(State::Running),
        decision: Verdict::Enforce,
        auto_scaling_group: None,
        user_data: Vec::new(),
    }
}

/// Every kind of row, region by region, with hostile names and ten thousand signs among them.
pub(super) fn rows(count: usize) -> Vec<Row> {
    (0..count).map(|n| of_fleet(n, count)).collect()
}

fn of_fleet(n: usize, count: usize) -> Row {
    let mut row = row(n);
    let region = n * REGIONS.len() / count;
    row.report.region = REGIONS[region].to_owned();
    row.name = match n % 25 {
        3 => Some(HOSTILE[n / 25 % HOSTILE.len()].to_owned()),
        7 => None,
        11 if n == 11 => Some("x".repeat(10_000)),
        k => Some(format!(
            "{}-{n}",
            ["web", "worker", "queue", "db-replica"][k % 4]
        )),
    };
    let mut options = row.report.before.unwrap();
    match (n * 7 + region * 3) % 20 {
        0..=8 => {
            options.http_tokens = Some(HttpTokens::Required);
            options.hop_limit = Some(2.try_into().unwrap());
            settle(&mut row, Verdict::Compliant, Outcome::Compliant);
            row.report.reason = "metadata options are as required".to_owned();
        }
        9 => {
            options.http_endpoint = Some(Toggle::Disabled);
            settle(&mut row, Verdict::Compliant, Outcome::Compliant);
            row.report.reason = "the metadata endpoint is disabled".to_owned();
        }
        10 => {
            settle(&mut row, Verdict::Exempt, Outcome::Exempt);
            row.report.rule = Some("legacy scanner".to_owned());
            row.report.reason =
                "exempt by rule `legacy scanner` because of vendor ticket 4711, through 2027-03-31"
                    .to_owned();
        }
        11 => {
            row.state = Some(State::Terminated);
            settle(&mut row, Verdict::Gone, Outcome::Gone);
            row.report.reason = "the instance is terminated".to_owned();
        }
        12 | 13 => {
            row.decision = Verdict::Report;
            let usage = Usage::InUse {
                calls: (n as u64 + 1) * 1_204,
                last_at: "2026-11-20T09:30:00Z".parse().unwrap(),
            };
            row.report.reason = format!(
                "http_tokens is optional, not required; by `on_violation`; not enforced, because {usage}"
            );
            row.report.usage = Some(usage);
            row.auto_scaling_group = Some("checkout & <b>payments</b>".to_owned());
            row.user_data = vec![Finding {
                line: 12,
                words: "curl -s http://169.254.169.254/latest/meta-data/".to_owned(),
                part: None,
            }];
        }
        14 => {
            row.decision = Verdict::Report;
            row.state = Some(State::Stopped);
            let usage = Usage::Unknown {
                because: NotKnown::Stopped,
            };
            row.report.reason = format!(
                "http_tokens is optional, not required; by `on_violation`; not enforced, because {usage}"
            );
            row.report.usage = Some(usage);
        }
        _ => {
            row.report.usage = Some(Usage::Unused {
                since: "2026-11-09T15:11:57Z".parse().unwrap(),
            });
            if n.is_multiple_of(2) {
                row.report.violations.push("hop_limit".into());
                options.hop_limit = Some(64.try_into().unwrap());
            }
            row.report.launch_template = (!n.is_multiple_of(3)).then(|| LaunchTemplate {
                id: format!("lt-0{:016x}", 0xbeef_0000 + region),
                version: Some("3".to_owned()),
            });
        }
    }
    row.report.before = Some(options);
    row
}

fn settle(row: &mut Row, decision: Verdict, outcome: Outcome) {
    row.decision = decision;
    row.report.outcome = outcome;
    row.report.violations = Vec::new();
}

/// A fleet of every kind with all that can be asked.
pub(super) fn fleet(count: usize) -> Document {
    let template = |id: &str, verdict, because: &str| TemplateRow {
        region: "eu-west-1".to_owned(),
        kind: "launch template",
        id: id.to_owned(),
        name: Some(HOSTILE[0].to_owned()),
        version: Some("3 (default, latest)".to_owned()),
        verdict,
        because: because.to_owned(),
        user_data: Vec::new(),
    };
    let defaults = |region: &str, tokens: Option<&str>| DefaultsRow {
        region: region.to_owned(),
        http_tokens: tokens.map(str::to_owned),
        hop_limit: tokens.map(|_| 2),
        http_endpoint: None,
        instance_metadata_tags: None,
        http_tokens_enforced: Some("disabled".to_owned()),
        managed_by: Some("account".to_owned()),
    };
    Document {
        usage_days: Some(14),
        user_data: true,
        templates: Some(vec![
            template("lt-0123456789abcdef0", "wrong", "http_tokens is optional"),
            template(
                "lt-0fedcba9876543210",
                "required",
                "http_tokens is required",
            ),
        ]),
        defaults: Some(vec![
            defaults("eu-west-1", Some("required")),
            defaults("us-east-1", None),
        ]),
        ..document(&rows(count))
    }
}

/// The same after `enforce`: one in seven failed.
pub(super) fn enforced(count: usize) -> Document {
    let mut rows = rows(count);
    let wrong = rows
        .iter_mut()
        .filter(|row| row.decision == Verdict::Enforce);
    for (n, row) in wrong.enumerate() {
        if n % 7 == 3 {
            row.report.outcome = Outcome::Failed;
            let why = "; failed: could not set the options: \u{1b}[2Jaccess denied";
            row.report.reason.push_str(why);
            continue;
        }
        row.report.outcome = Outcome::Enforced;
        row.report.after = row.report.before.map(|before| MetadataOptions {
            http_tokens: Some(HttpTokens::Required),
            ..before
        });
    }
    Document {
        trigger: "enforce",
        ..document(&rows)
    }
}

/// A scan with these rows; nothing else was asked, and a region could not be seen.
pub(super) fn document(rows: &[Row]) -> Document {
    let mut regions: Vec<RegionTotal> = Vec::new();
    for name in REGIONS {
        let here = rows.iter().map(|row| &row.report);
        regions.push(RegionTotal {
            region: name.to_owned(),
            summary: Summary::of(here.filter(|report| report.region == name)),
        });
    }
    Document {
        trigger: "scan",
        account: Some("123456789012".to_owned()),
        at: now(),
        took: Duration::from_millis(4_240),
        summary: Summary::of(rows.iter().map(|row| &row.report)),
        regions,
        unseen: vec![Unseen::expected(
            "me-south-1",
            "could not list instances: AuthFailure\n\u{1b}[31m<b>forged</b>".to_owned(),
        )],
        rows: rows.to_vec(),
        usage_days: None,
        user_data: false,
        templates: None,
        defaults: None,
    }
}
