//! The JSON of reports.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use imds_core::age::Attachments;
use imds_core::decide::{Because, Decision, Discovery, Evidence, decide};
use imds_core::instance::{DedicatedCapacity, Instance, InstanceId, State};
use imds_core::options::{HttpTokens, MetadataOptions, Toggle};
use imds_core::policy::{Action, Policy};
use imds_core::replacer::Replacer;
use imds_core::report::{InstanceReport, Outcome, Report, Summary, Trigger, Unreachable};
use imds_core::restored::Restored;
use imds_core::usage::{NotKnown, RejectedCalls, Usage};
use jiff::Timestamp;
use serde_json::json;

fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

fn open() -> Instance {
    let id = InstanceId::try_from("i-0000abcd").unwrap();
    Instance {
        account: Some("111122223333".to_owned()),
        started_at: Some(now()),
        attachments: Attachments::at_launch(now()),
        state: Some(State::Running),
        options: MetadataOptions {
            http_tokens: Some(HttpTokens::Optional),
            http_endpoint: Some(Toggle::Enabled),
            ..MetadataOptions::default()
        },
        ..Instance::unknown(id, "eu-central-1")
    }
}

fn decided(action: &str) -> Decision {
    let policy = format!(
        r#"{{"version": 1, "require": {{"http_tokens": "required"}}, "on_violation": "{action}"}}"#
    );
    let policy = Policy::parse(&policy).unwrap();
    let discovery = Discovery::Launch { at: Some(now()) };
    decide(&policy, &open(), now(), discovery, &Evidence::NotAsked)
}

fn milder(because: Because) -> Decision {
    match decided("terminate") {
        Decision::NonCompliant(it) => Decision::NonCompliant(it.milder(Action::Enforce, because)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_report_has_its_fields_in_their_order() {
    let decision = milder(Because::DisruptionLimit { limit: 10 });
    let after = MetadataOptions {
        http_tokens: Some(HttpTokens::Required),
        ..open().options
    };
    let instance = InstanceReport::decided(open(), &decision, decision.outcome(), Some(after));
    let report = Report::new(
        Trigger::Launch,
        Some("111122223333".to_owned()),
        Some("eu-central-1".to_owned()),
        vec![instance],
        vec![Unreachable::fatal("eu-west-1", "timeout".to_owned())],
    );
    assert!(report.is_incomplete());
    let expected = r#"{
  "version": 1,
  "trigger": "launch",
  "account": "111122223333",
  "region": "eu-central-1",
  "summary": {
    "compliant": 0,
    "exempt": 0,
    "reported": 0,
    "enforced": 1,
    "stopped": 0,
    "terminated": 0,
    "gone": 0,
    "failed": 0
  },
  "instances": [
    {
      "instance_id": "i-0000abcd",
      "account": "111122223333",
      "region": "eu-central-1",
      "outcome": "enforced",
      "instead_of": "terminate",
      "because": "disruption_limit",
      "rule": null,
      "violations": [
        "http_tokens"
      ],
      "refused": [],
      "before": {
        "http_tokens": "optional",
        "http_endpoint": "enabled",
        "hop_limit": null,
        "http_protocol_ipv6": null,
        "instance_metadata_tags": null
      },
      "after": {
        "http_tokens": "required",
        "http_endpoint": "enabled",
        "hop_limit": null,
        "http_protocol_ipv6": null,
        "instance_metadata_tags": null
      },
      "first_launched_at": "2026-06-15T12:00:00Z",
      "reason": "http_tokens is optional, not required; by `on_violation`; not terminated, because the limit of 10 disruptions per hour is reached"
    }
  ],
  "unreachable": [
    {
      "account": "111122223333",
      "region": "eu-west-1",
      "error": "timeout",
      "fatal": true
    }
  ]
}"#;
    assert_eq!(serde_json::to_string_pretty(&report).unwrap(), expected);
}

#[test]
fn each_reason_for_something_milder_has_its_word() {
    let replaced = Because::Replaced {
        by: Replacer::Ec2Fleet("fleet-1".to_owned()),
        template: None,
    };
    let in_use = Usage::InUse {
        calls: 1,
        last_at: now(),
    };
    let unknown = Usage::Unknown {
        because: NotKnown::NoData,
    };
    let rejected = RejectedCalls {
        calls: 7,
        last_at: now(),
    };
    for (because, word) in [
        (replaced, "replaced"),
        (Because::Drift, "drift"),
        (Because::DriftLimit { enforcements: 6 }, "drift_limit"),
        (Because::Restored(Restored::Backup), "restored"),
        (
            Because::DedicatedCapacity(DedicatedCapacity::CapacityBlock),
            "dedicated_capacity",
        ),
        (Because::RejectedCalls(rejected), "rejected_calls"),
        (Because::Age(Some(now())), "not_new"),
        (Because::Age(None), "age_unknown"),
        (Because::NotAsked, "usage_unknown"),
        (Because::UserData(Some(3)), "user_data"),
        (Because::AlreadyStopped, "already_stopped"),
        (Because::Managed("eks.amazonaws.com".to_owned()), "managed"),
        (Because::Usage(in_use), "in_use"),
        (Because::Usage(unknown), "usage_unknown"),
        (Because::Requested, "requested"),
        (Because::Grace, "grace"),
        (Because::DisruptionLimit { limit: 1 }, "disruption_limit"),
        (
            Because::StateUnavailable("timeout".to_owned()),
            "state_unavailable",
        ),
        (Because::RuleUnknown("packer".to_owned()), "rule_unknown"),
        (Because::Refused("denied".to_owned()), "refused"),
    ] {
        let sentence = format!("not terminated, because {because}");
        let decision = milder(because);
        let report = InstanceReport::decided(open(), &decision, Outcome::Enforced, None);
        assert_eq!(report.instead_of, Some(Action::Terminate));
        assert_eq!(serde_json::to_value(report.because).unwrap(), word);
        assert!(report.reason.ends_with(&sentence), "{}", report.reason);
    }
}

#[test]
fn where_the_policy_s_action_was_done_nothing_says_otherwise() {
    let decision = decided("enforce");
    let report = InstanceReport::decided(open(), &decision, decision.outcome(), None);
    let json = serde_json::to_value(&report).unwrap();
    for absent in [
        "instead_of",
        "because",
        "usage",
        "rejected_calls",
        "changed_by",
    ] {
        assert_eq!(json.get(absent), None, "{absent}");
    }
}

#[test]
fn only_what_should_have_been_done_makes_a_report_incomplete() {
    let with = |outcome, fatal| {
        let instance = InstanceReport::undecided(open(), outcome, "a reason".to_owned());
        let unreachable = Unreachable {
            fatal,
            ..Unreachable::fatal("eu-west-1", "opt-in required".to_owned())
        };
        Report::new(
            Trigger::Sweep,
            None,
            None,
            vec![instance],
            vec![unreachable],
        )
    };
    assert!(!with(Outcome::Reported, false).is_incomplete());
    assert!(with(Outcome::Failed, false).is_incomplete());
    assert!(with(Outcome::Reported, true).is_incomplete());
    let ignored = Report::ignored(None, None, "a scheduled event".to_owned());
    assert!(!ignored.is_incomplete());
    let json = serde_json::to_value(&ignored).unwrap();
    assert_eq!(json["trigger"], json!("ignored"));
    assert_eq!(json["reason"], json!("a scheduled event"));
}

#[test]
fn a_summary_counts_every_outcome() {
    let reports = Outcome::ALL
        .iter()
        .map(|&outcome| InstanceReport::undecided(open(), outcome, String::new()));
    let reports: Vec<_> = reports.collect();
    let mut summary = Summary::count(&reports);
    summary.add(Summary::count(&reports));
    for &outcome in Outcome::ALL {
        assert_eq!(summary.get(outcome), 2, "{}", outcome.as_str());
    }
}

#[test]
fn an_instance_whose_software_fails_is_compliant_and_says_so() {
    let rejected = RejectedCalls {
        calls: 7,
        last_at: now(),
    };
    let report = InstanceReport::failing(open(), rejected.clone());
    assert_eq!(report.outcome, Outcome::Compliant);
    assert_eq!(report.rejected_calls, Some(rejected));
    assert!(
        report
            .reason
            .starts_with("7 calls without a token rejected since")
    );
}

#[test]
fn a_report_on_drift_after_rejected_calls_shows_them_and_says_report() {
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "enforce"}"#;
    let policy = Policy::parse(policy).unwrap();
    let rejected = RejectedCalls {
        calls: 7,
        last_at: now(),
    };
    let drift = Discovery::Drift {
        at: Some(now()),
        set: open().options,
    };
    let evidence = Evidence::RejectedCalls(Some(rejected.clone()));
    let decision = decide(&policy, &open(), now(), drift, &evidence);
    let report = InstanceReport::decided(open(), &decision, decision.outcome(), None);
    assert_eq!(report.outcome, Outcome::Reported);
    assert_eq!(report.rejected_calls, Some(rejected));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["instead_of"], "enforce");
    assert_eq!(json["because"], "rejected_calls");
}

#[test]
fn an_unknown_first_launch_is_left_out_of_the_report() {
    let unknown = Instance {
        attachments: Attachments::default(),
        ..open()
    };
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "stop"}"#;
    let policy = Policy::parse(policy).unwrap();
    let evidence = Evidence::Usage(Usage::Unused {
        since: now(),
        not_started_within_window: true,
    });
    let decision = decide(&policy, &unknown, now(), Discovery::Sweep, &evidence);
    let report = InstanceReport::decided(unknown, &decision, decision.outcome(), None);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json.get("first_launched_at"), None);
    assert_eq!(json["because"], "age_unknown");
    assert_eq!(json["usage"]["not_started_within_window"], true);
}
