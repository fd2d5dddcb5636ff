//! How the use of IMDSv1 limits what is done to instances that are not new.

use imds_core::decide::{Because, BecauseWord, Discovery, Evidence, decide};
use imds_core::policy::{Action, Policy};
use imds_core::usage::{NotKnown, Usage};

use crate::{
    HOUR, in_use, launched, non_compliant, now, of_unknown_age, open, outcome_by, policy, unknown,
    unused,
};

const RECENT: i64 = 9 * HOUR;
const OLD: i64 = 900 * HOUR;

/// What happens to an instance of this age, where the three fields are as given.
struct Fields {
    new_in_use: &'static str,
    in_use: &'static str,
    unknown: &'static str,
}

impl Fields {
    fn policy(&self) -> Policy {
        let Fields {
            new_in_use,
            in_use,
            unknown,
        } = self;
        policy(&format!(
            r#"{{"require": {{"http_tokens": "required"}}, "on_violation": "terminate",
                "new_instances": {{"in_use": "{new_in_use}"}},
                "existing": {{"in_use": "{in_use}", "unknown": "{unknown}"}}}}"#
        ))
    }

    #[track_caller]
    fn check(&self, age: i64, usage: &Usage, expected: (Action, BecauseWord)) {
        let evidence = Evidence::Usage(usage.clone());
        let (action, because) = expected;
        for discovery in [Discovery::Sweep, Discovery::Start] {
            let found = outcome_by(&self.policy(), &launched(age), discovery, &evidence);
            assert_eq!(found, (action, Some(because), None), "{usage}");
        }
    }
}

const MILD: Fields = Fields {
    new_in_use: "report",
    in_use: "report",
    unknown: "report",
};

fn too_little() -> Usage {
    unknown(NotKnown::TooLittleData(3))
}

fn no_data() -> Usage {
    unknown(NotKnown::NoData)
}

/// CloudWatch gave no whole answer.
fn no_answer() -> [Usage; 2] {
    [
        unknown(NotKnown::Incomplete("PartialData".to_owned())),
        unknown(NotKnown::Unreadable("AccessDenied".to_owned())),
    ]
}

const ENFORCED: (Action, BecauseWord) = (Action::Enforce, BecauseWord::NotNew);
const IN_USE: (Action, BecauseWord) = (Action::Report, BecauseWord::InUse);
const UNKNOWN: (Action, BecauseWord) = (Action::Report, BecauseWord::UsageUnknown);

#[test]
fn what_is_unused_is_enforced_at_any_age() {
    MILD.check(RECENT, &unused(), ENFORCED);
    MILD.check(OLD, &unused(), ENFORCED);
}

#[test]
fn what_is_in_use_is_reported_unless_the_policy_says_otherwise() {
    MILD.check(RECENT, &in_use(), IN_USE);
    MILD.check(OLD, &in_use(), IN_USE);
    let recent_only = Fields {
        new_in_use: "enforce",
        ..MILD
    };
    recent_only.check(RECENT, &in_use(), ENFORCED);
    recent_only.check(OLD, &in_use(), IN_USE);
    let old_only = Fields {
        in_use: "enforce",
        ..MILD
    };
    old_only.check(RECENT, &in_use(), IN_USE);
    old_only.check(OLD, &in_use(), ENFORCED);
}

#[test]
fn a_recent_instance_without_data_is_enforced_and_an_old_one_only_where_the_policy_says_so() {
    let unknown_enforced = Fields {
        unknown: "enforce",
        ..MILD
    };
    for usage in [no_data(), too_little()] {
        MILD.check(RECENT, &usage, ENFORCED);
        MILD.check(OLD, &usage, UNKNOWN);
        unknown_enforced.check(OLD, &usage, ENFORCED);
    }
}

#[test]
fn without_a_whole_answer_no_more_is_done_than_if_it_were_in_use() {
    let unknown_enforced = Fields {
        unknown: "enforce",
        ..MILD
    };
    let in_use_enforced = Fields {
        new_in_use: "enforce",
        in_use: "enforce",
        ..MILD
    };
    let all_enforced = Fields {
        new_in_use: "enforce",
        in_use: "enforce",
        unknown: "enforce",
    };
    for usage in no_answer() {
        MILD.check(RECENT, &usage, UNKNOWN);
        MILD.check(OLD, &usage, UNKNOWN);
        unknown_enforced.check(RECENT, &usage, UNKNOWN);
        unknown_enforced.check(OLD, &usage, UNKNOWN);
        in_use_enforced.check(RECENT, &usage, ENFORCED);
        in_use_enforced.check(OLD, &usage, UNKNOWN);
        all_enforced.check(OLD, &usage, ENFORCED);
    }
}

#[test]
fn an_instance_of_unknown_age_is_treated_as_an_old_one() {
    let recent_enforced = Fields {
        new_in_use: "enforce",
        ..MILD
    };
    let policy = recent_enforced.policy();
    let at_most = |usage| {
        let evidence = Evidence::Usage(usage);
        outcome_by(&policy, &of_unknown_age(), Discovery::Sweep, &evidence).0
    };
    assert_eq!(at_most(unused()), Action::Enforce);
    assert_eq!(at_most(in_use()), Action::Report);
    assert_eq!(at_most(no_data()), Action::Report);
}

#[test]
fn the_decision_shows_the_evidence() {
    let policy = MILD.policy();
    let old = launched(OLD);
    let decided = |usage: &Usage| {
        let evidence = Evidence::Usage(usage.clone());
        non_compliant(decide(&policy, &old, now(), Discovery::Sweep, &evidence))
    };
    for usage in [unused(), in_use(), no_data()] {
        assert_eq!(decided(&usage).usage, Some(usage));
    }
    let reported = decided(&in_use()).instead.unwrap();
    assert_eq!(reported.of, Action::Terminate);
    assert_eq!(reported.because, Because::Usage(in_use()));
}

#[test]
fn the_use_of_a_new_instance_limits_nothing() {
    let policy = MILD.policy();
    for usage in [in_use(), no_data()] {
        let evidence = Evidence::Usage(usage);
        let found = outcome_by(&policy, &open(), Discovery::Sweep, &evidence);
        assert_eq!(found, (Action::Terminate, None, None));
    }
}
