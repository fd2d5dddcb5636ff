//! Every way in which an instance or account defaults can be found when a journal is rolled back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use imds_core::rollback::*;

mod properties;
mod reported;

const REGION: &str = "eu-central-1";

type Answer<T> = Option<AnswerRecord<T>>;

fn before() -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        hop_limit: HopLimit::try_from(3).ok(),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    }
}

fn tokens(tokens: HttpTokens) -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(tokens),
        ..Default::default()
    }
}

fn required() -> MetadataOptions {
    tokens(HttpTokens::Required)
}

fn after() -> MetadataOptions {
    required().or(&before())
}

fn hops(options: MetadataOptions, hops: i64) -> MetadataOptions {
    MetadataOptions {
        hop_limit: HopLimit::try_from(hops).ok(),
        ..options
    }
}

fn error<T>() -> Answer<T> {
    Some(AnswerRecord::Error("no answer".to_owned()))
}

fn key() -> InstanceKey {
    InstanceKey {
        id: InstanceId::try_from("i-00000001").unwrap(),
        region: REGION.to_owned(),
    }
}

/// An instance of which tokens were required.
fn record(answer: Answer<MetadataOptions>) -> InstanceRecord {
    let sent = required();
    InstanceRecord {
        key: key(),
        before: before(),
        calls: vec![CallRecord { sent, answer }],
    }
}

fn enforced() -> InstanceRecord {
    record(Some(AnswerRecord::After(after())))
}

fn described(options: MetadataOptions, state: Option<State>) -> ObservedInstance {
    let InstanceKey { id, region } = key();
    ObservedInstance::Described(Box::new(Instance {
        options,
        state,
        applied: Some(true),
        ..Instance::unknown(id, region)
    }))
}

fn step(
    record: &InstanceRecord,
    found: MetadataOptions,
    if_changed: IfChanged,
) -> InstanceRollback {
    record.step(Some(&described(found, None)), None, if_changed)
}

/// Shows the verdict as the plan does.
fn verdict(record: &InstanceRecord, found: MetadataOptions, if_changed: IfChanged) -> String {
    let shown = step(record, found, if_changed).to_string();
    shown
        .strip_prefix("eu-central-1 i-00000001 ")
        .unwrap()
        .to_owned()
}

const RESTORE: &str = "set http_tokens=optional";
const AS_BEFORE: &str = "leave: already as before";
const CHANGED: &str = "leave: changed since: recorded hop_limit=3; now hop_limit=1";

#[test]
fn an_instance_is_restored_if_only_the_journal_changed_it() {
    let no_answer_of_all = AnswerRecord::After(MetadataOptions::default());
    let answers = [
        Some(AnswerRecord::After(after())),
        Some(no_answer_of_all),
        error(),
        None,
    ];
    for answer in answers {
        let record = record(answer);
        assert_eq!(verdict(&record, after(), IfChanged::Leave), RESTORE);
        assert_eq!(verdict(&record, before(), IfChanged::Leave), AS_BEFORE);
        let changed = hops(after(), 1);
        assert_eq!(verdict(&record, changed, IfChanged::Leave), CHANGED);
        assert_eq!(
            verdict(&record, changed, IfChanged::Restore),
            format!("{RESTORE} hop_limit=3")
        );
    }
}

#[test]
fn the_answer_after_an_error_says_what_was_left() {
    let mut record = record(error());
    record.calls.extend(enforced().calls);
    assert_eq!(verdict(&record, after(), IfChanged::Leave), RESTORE);
    // Also where EC2 answered other options than it was sent.
    record.calls[1].answer = Some(AnswerRecord::After(hops(after(), 1)));
    let found = hops(after(), 1);
    let restore = format!("{RESTORE} hop_limit=3");
    assert_eq!(verdict(&record, found, IfChanged::Leave), restore);
}

#[test]
fn an_option_that_neither_the_answer_nor_ec2_shows_has_not_changed() {
    let silent = MetadataOptions {
        http_protocol_ipv6: None,
        instance_metadata_tags: None,
        ..after()
    };
    for answer in [Some(AnswerRecord::After(silent)), error(), None] {
        let record = record(answer);
        let is_left = |found| {
            let verdict = step(&record, found, IfChanged::Leave).verdict;
            matches!(verdict, Err(Leave::Changed { .. }))
        };
        assert!(!is_left(silent));
        assert!(is_left(hops(silent, 1)));
        let without_tokens = MetadataOptions {
            http_tokens: None,
            ..silent
        };
        assert!(is_left(without_tokens), "what was sent is not assumed");
    }
}

#[test]
fn an_option_whose_value_before_is_not_recorded_stays() {
    let mut record = enforced();
    record.before.http_tokens = None;
    let not_recorded = "leave: the values before http_tokens=required are not recorded";
    let changed = hops(after(), 1);
    assert_eq!(verdict(&record, after(), IfChanged::Leave), not_recorded);
    assert_eq!(verdict(&record, after(), IfChanged::Restore), not_recorded);
    assert_eq!(verdict(&record, changed, IfChanged::Leave), not_recorded);
    assert_eq!(
        verdict(&record, changed, IfChanged::Restore),
        "set hop_limit=3; http_tokens=required stays, because the value before is not recorded"
    );
    // One that was not sent does not matter.
    let mut record = enforced();
    record.before.hop_limit = None;
    assert_eq!(verdict(&record, after(), IfChanged::Leave), RESTORE);
}

#[test]
fn an_endpoint_is_disabled_alone_and_not_enabled() {
    let mut record = enforced();
    record.before.http_endpoint = Some(Toggle::Disabled);
    let disable = "set http_endpoint=disabled";
    assert_eq!(verdict(&record, after(), IfChanged::Restore), disable);
    let found = required().or(&record.before);
    record.calls[0].answer = Some(AnswerRecord::After(found));
    let restore = "set http_tokens=optional";
    assert_eq!(verdict(&record, found, IfChanged::Leave), restore);
    // An endpoint is enabled only where the journal disabled it, and not again where it is enabled by now.
    let enabled = step(&enforced(), after(), IfChanged::Leave).verdict;
    assert_eq!(enabled.unwrap().send, tokens(HttpTokens::Optional));
    let mut disabled = after();
    disabled.http_endpoint = Some(Toggle::Disabled);
    let record = crate::record(Some(AnswerRecord::After(disabled)));
    let restore = step(&record, disabled, IfChanged::Leave).verdict.unwrap();
    assert_eq!(restore.send.http_endpoint, Some(Toggle::Enabled));
    assert_eq!(restore.repeat(&restore.send, &disabled), restore.send);
    let repeated = restore.repeat(&restore.send, &after());
    assert_eq!(repeated, tokens(HttpTokens::Optional));
}

#[test]
fn an_instance_is_left_unless_it_is_still_as_planned() {
    let planned = step(&enforced(), after(), IfChanged::Leave);
    let as_planned = described(after(), None);
    assert!(planned.recheck(Some(&as_planned)).is_ok());
    let changed = described(before(), None);
    let changed = planned.recheck(Some(&changed)).unwrap_err();
    assert_eq!(changed.outcome, RollbackOutcome::Skipped);
    assert_eq!((changed.before, changed.after), (Some(after()), None));
    for (found, leave) in [
        (
            described(after(), Some(State::ShuttingDown)),
            Leave::Gone(Some(State::ShuttingDown)),
        ),
        (ObservedInstance::NotKnown, Leave::Gone(None)),
        (
            ObservedInstance::Unreachable("no\nanswer".to_owned()),
            Leave::Unreachable("no\nanswer".to_owned()),
        ),
    ] {
        let now = planned.recheck(Some(&found)).map(drop).unwrap_err();
        assert_eq!(now, planned.left(&leave));
        let planned = enforced().step(Some(&found), None, IfChanged::Restore);
        assert_eq!(planned.verdict, Err(leave));
    }
}

#[test]
fn what_ec2_describes_decides_about_a_restored_instance() {
    let planned = step(&enforced(), after(), IfChanged::Leave);
    let restore = planned.verdict.clone().unwrap();
    let outcome = |options, state, applied| {
        let mut found = described(options, state);
        if let ObservedInstance::Described(instance) = &mut found {
            instance.applied = Some(applied);
        }
        match planned.check(&restore, before(), Some(&found)) {
            CheckedRow::Final(row) => (row.outcome, row.reason),
            CheckedRow::Preliminary(row) => (row.outcome, format!("{}…", row.reason)),
        }
    };
    let restored = |reason: &str| (RollbackOutcome::Restored, reason.to_owned());
    assert_eq!(outcome(before(), None, true), restored("as before"));
    let not_yet = restored("as before; EC2 has not applied it yet…");
    assert_eq!(outcome(before(), None, false), not_yet);
    let stopped = Some(State::Stopped);
    assert_eq!(outcome(before(), stopped, false), restored("as before"));
    let gone = "the instance is terminated".to_owned();
    assert_eq!(
        outcome(before(), Some(State::Terminated), true),
        (RollbackOutcome::Gone, gone)
    );
    let why = "EC2 answered http_tokens=optional, and describes http_tokens=required…";
    assert_eq!(
        outcome(after(), None, true),
        (RollbackOutcome::Failed, why.to_owned())
    );
}

fn defaults(enforced: Option<Toggle>) -> MetadataDefaults {
    MetadataDefaults {
        http_tokens: Some(HttpTokens::Required),
        http_tokens_enforced: enforced,
        managed_by: Some("account".to_owned()),
        ..Default::default()
    }
}

fn defaults_record(answer: Answer<MetadataDefaults>) -> DefaultsRecord {
    DefaultsRecord {
        key: RegionKey {
            region: REGION.to_owned(),
        },
        before: MetadataDefaults::default(),
        calls: vec![CallRecord {
            sent: defaults(Some(Toggle::Enabled)),
            answer,
        }],
    }
}

#[track_caller]
fn defaults_are(record: &DefaultsRecord, found: MetadataDefaults, expected: &str) {
    let step = record.step(&Ok(found), IfChanged::Leave).to_string();
    assert_eq!(step, format!("eu-central-1 account defaults {expected}"));
}

#[test]
fn defaults_are_restored_if_only_the_journal_changed_them() {
    let left = defaults(Some(Toggle::Enabled));
    for answer in [Some(AnswerRecord::After(left.clone())), error(), None] {
        let record = defaults_record(answer);
        defaults_are(
            &record,
            left.clone(),
            "set http_tokens: required → no preference, \
             http_tokens_enforced: enabled → no preference",
        );
        let managed = MetadataDefaults {
            managed_by: Some("account".to_owned()),
            ..Default::default()
        };
        defaults_are(&record, managed, AS_BEFORE);
        defaults_are(
            &record,
            defaults(Some(Toggle::Disabled)),
            "leave: changed since: recorded http_tokens_enforced is enabled; \
             now http_tokens_enforced is disabled",
        );
        let governed = MetadataDefaults {
            managed_by: Some("declarative-policy".to_owned()),
            ..left.clone()
        };
        let managed = "leave: managed by declarative-policy: the account cannot change them";
        defaults_are(&record, governed, managed);
    }
}

#[test]
fn the_plan_restores_defaults_first_and_has_a_line_for_everything() {
    let enforcing = defaults(Some(Toggle::Enabled));
    let hostile = "web\n\u{1b}[2Jeu-central-1 i-00000002".to_owned();
    let mut named = described(after(), None);
    if let ObservedInstance::Described(instance) = &mut named {
        instance.tags.insert("Name".to_owned(), hostile);
    }
    let mut elsewhere = enforced();
    elsewhere.key.region = "us-east-1".to_owned();
    let observed = RollbackObservations {
        instances: [
            (key(), named),
            (elsewhere.key.clone(), described(hops(after(), 1), None)),
        ]
        .into(),
        defaults: [
            (REGION.to_owned(), Ok(enforcing.clone())),
            ("us-east-1".to_owned(), Err("no".to_owned())),
        ]
        .into(),
    };
    let mut recorded = RecordedChanges {
        instances: vec![enforced(), elsewhere],
        defaults: vec![defaults_record(None)],
    };
    let plan = RollbackPlan::new(&recorded, &observed, IfChanged::Leave);
    assert_eq!(
        plan.to_string(),
        "note: the account defaults of us-east-1 could not be described: no\n\
         eu-central-1 account defaults set http_tokens: required → no preference, \
         http_tokens_enforced: enabled → no preference\n\
         eu-central-1 i-00000001 (web\u{fffd}\u{fffd}[2Jeu-central-1 i-00000002) set http_tokens=optional\n\
         us-east-1 i-00000001 leave: changed since: recorded hop_limit=3; now hop_limit=1\n\
         2 of 3 to restore\n\
         `--force` would restore 1 more\n"
    );
    // Where the defaults stay, EC2 would refuse the instance.
    recorded.defaults.clear();
    let plan = RollbackPlan::new(&recorded, &observed, IfChanged::Leave);
    assert_eq!(plan.to_restore(), 0);
    let report = plan.nothing_restored("111122223333".to_owned());
    assert_eq!(
        report.summary.to_string(),
        "0 restored, 0 unchanged, 2 skipped, 0 gone, 0 failed"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["instances"][0]["instance_id"], "i-00000001");
    assert_eq!(json["instances"][0]["region"], REGION);
    assert_eq!(json["instances"][0]["outcome"], "skipped");
    assert_eq!(json["instances"][0]["before"]["http_tokens"], "required");
}
