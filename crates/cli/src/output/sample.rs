//! Fleets for tests.

use std::time::Duration;

use imds_core::age::Attachments;
use imds_core::decide::{Discovery, Evidence, UsageGate, decide};
use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::launcher::TemplateCompliance;
use imds_core::launcher_use::LauncherUser;
use imds_core::options::{HttpTokens, MetadataOptions, OptionSetting, Toggle};
use imds_core::policy::Policy;
use imds_core::report::{Outcome, Unreachable};
use imds_core::usage::{NotKnown, Usage};
use imds_engine::{
    KeptTemplates, RegionDefaults, RegionTotal, ScanDecision, ScannedInstance, ScannedTemplate,
    TemplateKind, UnneededExemption,
};
use imds_user_data::Finding;
use jiff::Timestamp;

use crate::document::{CommandTrigger, Document, PolicyIdentity};

pub(crate) const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];
pub(super) const COMPLIANT_TEMPLATE: &str = "lt-0fedcba9876543210";

const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(1)\" x='",
    "invoice\u{202e}fdp.exe",
    "=HYPERLINK(\"http://evil.example\",\"click\")",
    "two\nlines\u{1b}[31m\u{9b}2J",
    "数据库主节点-שלום-🦀🦀",
];

const POLICY: &str = r#"{
  "version": 1, "require": { "http_tokens": "required", "hop_limit": { "at_most": 2 } },
  "on_violation": "enforce",
  "rules": [{ "name": "legacy scanner", "when": { "tags": { "app": "scanner" } }, "action": "exempt",
              "expires": "2027-03-31", "reason": "vendor ticket 4711" }]
}"#;

fn now() -> Timestamp {
    "2026-11-23T15:11:57Z".parse().unwrap()
}

fn instance(n: usize) -> Instance {
    let id = format!("i-{:017x}", 0x0a1b_2c3d_4e5f_0000_u64 + n as u64 * 7919);
    let tags = [("Name".to_owned(), format!("web-{n}"))];
    Instance {
        account: Some("123456789012".to_owned()),
        image: Some("ami-0abcdef1234567890".to_owned()),
        instance_type: Some("m7g.large".to_owned()),
        instance_profile: Some("arn:aws:iam::123456789012:instance-profile/web".to_owned()),
        public_addresses: vec![
            "203.0.113.25".parse().unwrap(),
            "2001:db8::1".parse().unwrap(),
        ],
        tags: tags.into(),
        started_at: Some("2026-08-01T07:00:00Z".parse().unwrap()),
        attachments: Attachments::at_launch("2025-02-03T04:05:06Z".parse().unwrap()),
        state: Some(State::Running),
        options: MetadataOptions {
            http_tokens: Some(HttpTokens::Optional),
            http_endpoint: Some(Toggle::Enabled),
            hop_limit: Some(1.try_into().unwrap()),
            http_protocol_ipv6: Some(Toggle::Disabled),
            instance_metadata_tags: Some(Toggle::Disabled),
        },
        ..Instance::unknown(InstanceId::try_from(id).unwrap(), REGIONS[1])
    }
}

fn scanned(instance: &Instance, usage: Option<Usage>, user_data: Vec<Finding>) -> ScannedInstance {
    let policy = Policy::parse(POLICY).unwrap();
    let gate = match usage {
        Some(_) => UsageGate::UnusedOnly,
        None => UsageGate::Ignored,
    };
    let evidence = usage.clone().map_or(Evidence::NotAsked, Evidence::Usage);
    let decision = decide(
        &policy,
        instance,
        now(),
        Discovery::Request(gate),
        &evidence,
    );
    ScannedInstance::new(instance, &decision, usage, user_data)
}

/// An instance that `enforce` would change.
pub(crate) fn non_compliant(n: usize) -> ScannedInstance {
    scanned(&instance(n), None, Vec::new())
}

/// Every kind of instance, region by region, with hostile names and one of 10,000 characters.
pub(super) fn instances(count: usize) -> Vec<ScannedInstance> {
    let each = (0..count).map(|n| {
        let region = n * REGIONS.len() / count;
        let mut instance = instance(n);
        instance.region = REGIONS[region].to_owned();
        set_name(&mut instance, n);
        with_kind((n * 7 + region * 3) % 20, n, instance)
    });
    each.collect()
}

fn set_name(instance: &mut Instance, n: usize) {
    let name = match n % 25 {
        3 => HOSTILE[n / 25 % HOSTILE.len()].to_owned(),
        7 => return instance.tags.clear(),
        11 if n == 11 => "x".repeat(10_000),
        k => format!("{}-{n}", ["web", "worker", "queue", "db-replica"][k % 4]),
    };
    instance.tags.insert("Name".to_owned(), name);
}

fn with_kind(kind: usize, n: usize, mut instance: Instance) -> ScannedInstance {
    let mut tag = |key: &str, value: &str| instance.tags.insert(key.to_owned(), value.to_owned());
    let mut found = Vec::new();
    let options = &mut instance.options;
    let mut usage = None;
    match kind {
        0..=8 => {
            options.http_tokens = Some(HttpTokens::Required);
            options.hop_limit = Some(2.try_into().unwrap());
        }
        9 => options.http_endpoint = Some(Toggle::Disabled),
        10 => drop(tag("app", "scanner")),
        11 => instance.state = Some(State::Terminated),
        12 | 13 => {
            tag("aws:autoscaling:groupName", "checkout & <b>payments</b>");
            found.push(Finding {
                line: 12,
                words: "curl -s http://169.254.169.254/latest/meta-data/".to_owned(),
                part: None,
            });
            usage = Some(Usage::InUse {
                calls: (n as u64 + 1) * 1_204,
                last_at: "2026-11-20T09:30:00Z".parse().unwrap(),
            });
        }
        14 => {
            instance.state = Some(State::Stopped);
            let because = NotKnown::TooLittleData(9);
            usage = Some(Usage::Unknown { because });
        }
        _ => {
            if !n.is_multiple_of(3) {
                let template = format!("lt-0{:016x}", 0xbeef_0000 + n % 6);
                tag("aws:ec2launchtemplate:id", &template);
                tag("aws:ec2launchtemplate:version", "3");
            }
            if n.is_multiple_of(2) {
                options.hop_limit = Some(64.try_into().unwrap());
            }
            let since = "2026-11-09T15:11:57Z".parse().unwrap();
            usage = Some(Usage::Unused {
                since,
                not_started_within_window: n.is_multiple_of(2),
            });
        }
    }
    scanned(&instance, usage, found)
}

/// A fleet with every kind of instance and everything that can be asked for.
pub(crate) fn fleet(count: usize) -> Document {
    let template = |id: &str, compliance| ScannedTemplate {
        account: Some("123456789012".to_owned()),
        region: "eu-west-1".to_owned(),
        kind: TemplateKind::LaunchTemplate,
        id: id.to_owned(),
        name: Some(HOSTILE[0].to_owned()),
        version: Some("3 (default, latest)".to_owned()),
        number: Some(3),
        is_default: true,
        is_latest: true,
        used_by: vec![LauncherUser::Instances { count: 2 }],
        options: MetadataOptions::default(),
        required_options: MetadataOptions {
            http_tokens: Some(HttpTokens::Required),
            ..MetadataOptions::default()
        },
        http_tokens: None,
        compliance,
        reason: "by the template".to_owned(),
        user_data: Vec::new(),
    };
    let defaults = |region: &str, http_tokens| RegionDefaults {
        account: Some("123456789012".to_owned()),
        region: region.to_owned(),
        defaults: MetadataDefaults {
            http_tokens,
            http_tokens_enforced: Some(Toggle::Disabled),
            ..MetadataDefaults::default()
        },
    };
    Document {
        usage_days: Some(14),
        user_data: true,
        kept_templates: Some(KeptTemplates::All),
        templates: Some(vec![
            template("lt-0123456789abcdef0", TemplateCompliance::NonCompliant),
            template(COMPLIANT_TEMPLATE, TemplateCompliance::Compliant),
        ]),
        defaults: Some(vec![
            defaults("eu-west-1", Some(HttpTokens::Required)),
            defaults("us-east-1", None),
        ]),
        unneeded_exemptions: Some(vec![UnneededExemption::Rule {
            rule: HOSTILE[0].to_owned(),
            expires: Some("2027-03-31".parse().unwrap()),
            reason: Some("vendor ticket 4711".to_owned()),
        }]),
        ..document(instances(count))
    }
}

/// A fleet after `enforce`, which failed for one instance in seven.
pub(crate) fn enforced(count: usize) -> Document {
    let mut instances = instances(count);
    let changed = instances.iter_mut();
    let changed = changed.filter(|it| it.decision == ScanDecision::Enforce);
    for (n, report) in changed.map(|it| &mut it.report).enumerate() {
        if n % 7 == 3 {
            report.outcome = Outcome::Failed;
            report.reason.push_str("; failed: \u{1b}[2Jaccess denied");
        } else {
            report.outcome = Outcome::Enforced;
            report.after = report.before;
            let tokens = OptionSetting::HttpTokens(HttpTokens::Required);
            report.after.iter_mut().for_each(|it| it.set(tokens));
        }
    }
    Document {
        trigger: CommandTrigger::Enforce,
        ..document(instances)
    }
}

/// A scan without any of what can be asked for. One region could not be described.
pub(crate) fn document(instances: Vec<ScannedInstance>) -> Document {
    let document = Document {
        policy: PolicyIdentity {
            sha256: "0a1b".repeat(16),
            requires: "http_tokens required, hop_limit at most 2".to_owned(),
        },
        account: Some("123456789012".to_owned()),
        took: Duration::from_millis(4_240),
        regions: RegionTotal::count(Some("123456789012"), REGIONS, &[]),
        unreachable: vec![Unreachable::fatal(
            "me-south-1",
            "could not list instances: AuthFailure\n\u{1b}[31m<b>forged</b>".to_owned(),
        )],
        instances,
        ..Document::new(CommandTrigger::Scan, now())
    };
    document.count()
}
