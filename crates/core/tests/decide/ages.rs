//! The table of what may be done at most, row by row, where the policy says `terminate`.

use imds_core::decide::{BecauseWord, Discovery, Evidence, Question};
use imds_core::instance::Instance;
use imds_core::policy::Action;
use imds_core::usage::NotKnown;

use crate::{
    HOUR, MINUTE, Outcome, ago, in_use, launch_event, launched, of_unknown_age, outcome,
    outcome_by, policy, unknown, unused,
};

const DAY: i64 = 24 * HOUR;

const TERMINATED: Outcome = (Action::Terminate, None, None);
const NOT_NEW: Outcome = (Action::Enforce, Some(BecauseWord::NotNew), None);
const AGE_UNKNOWN: Outcome = (Action::Enforce, Some(BecauseWord::AgeUnknown), None);
const IN_USE: Outcome = (Action::Report, Some(BecauseWord::InUse), None);
const USAGE_UNKNOWN: Outcome = (Action::Report, Some(BecauseWord::UsageUnknown), None);
const ASKED: Outcome = (
    Action::Report,
    Some(BecauseWord::UsageUnknown),
    Some(Question::Usage),
);

/// Every way to hear of an instance but for drift and a person's request, which have a row of their own.
fn any_news() -> [Discovery; 5] {
    [
        launch_event(),
        Discovery::Launch {
            at: Some(ago(15 * MINUTE + 1)),
        },
        Discovery::Launch { at: None },
        Discovery::Start,
        Discovery::Sweep,
    ]
}

/// Those that are no launch event of the last 15 minutes.
fn other_news() -> impl Iterator<Item = Discovery> {
    any_news().into_iter().skip(1)
}

/// Outcomes where nothing was asked, IMDSv1 is unused, in use, and there is no data.
#[track_caller]
fn row(instance: &Instance, discovery: Discovery, expected: [Outcome; 4]) {
    let evidence = [
        Evidence::NotAsked,
        Evidence::Usage(unused()),
        Evidence::Usage(in_use()),
        Evidence::Usage(unknown(NotKnown::NoData)),
    ];
    let found = evidence.map(|it| outcome("terminate", instance, discovery, &it));
    assert_eq!(found, expected, "{discovery:?}");
}

#[test]
fn within_15_minutes_of_its_first_launch_what_the_policy_says_is_done_whoever_told_of_it() {
    for age in [-5 * MINUTE, -1, 0, 10, 15 * MINUTE] {
        for discovery in any_news() {
            row(&launched(age), discovery, [TERMINATED; 4]);
        }
    }
}

#[test]
fn within_15_minutes_every_action_of_the_policy_is_done_as_it_is() {
    for (required, action) in [
        ("report", Action::Report),
        ("enforce", Action::Enforce),
        ("stop", Action::Stop),
        ("terminate", Action::Terminate),
    ] {
        for discovery in any_news() {
            let found = outcome(required, &launched(10), discovery, &Evidence::NotAsked);
            assert_eq!(found, (action, None, None));
        }
    }
}

#[test]
fn within_24_hours_a_launch_event_of_the_last_15_minutes_enforces_at_once() {
    for age in [15 * MINUTE + 1, HOUR, DAY] {
        for seconds_ago in [0, 5, 15 * MINUTE] {
            let at = Some(ago(seconds_ago));
            row(&launched(age), Discovery::Launch { at }, [NOT_NEW; 4]);
        }
    }
}

#[test]
fn within_24_hours_use_is_asked_however_else_it_was_found() {
    for age in [15 * MINUTE + 1, HOUR, DAY] {
        for discovery in other_news() {
            row(&launched(age), discovery, [ASKED, NOT_NEW, IN_USE, NOT_NEW]);
        }
    }
}

#[test]
fn before_that_use_is_asked_even_of_what_a_launch_event_names() {
    for age in [DAY + 1, 30 * DAY, 3000 * DAY] {
        for discovery in any_news() {
            row(
                &launched(age),
                discovery,
                [ASKED, NOT_NEW, IN_USE, USAGE_UNKNOWN],
            );
        }
    }
}

#[test]
fn of_unknown_age_is_treated_as_old() {
    for discovery in any_news() {
        row(
            &of_unknown_age(),
            discovery,
            [ASKED, AGE_UNKNOWN, IN_USE, USAGE_UNKNOWN],
        );
    }
}

#[test]
fn what_the_policy_only_enforces_is_enforced_and_no_reason_for_less_is_given() {
    let enforced = (Action::Enforce, None, None);
    for instance in [launched(HOUR), launched(30 * DAY), of_unknown_age()] {
        let evidence = Evidence::Usage(unused());
        let found = outcome("enforce", &instance, Discovery::Sweep, &evidence);
        assert_eq!(found, enforced);
    }
}

#[test]
fn nothing_is_asked_about_what_is_only_reported() {
    for instance in [
        launched(10),
        launched(HOUR),
        launched(30 * DAY),
        of_unknown_age(),
    ] {
        for discovery in any_news() {
            let found = outcome("report", &instance, discovery, &Evidence::NotAsked);
            assert_eq!(found, (Action::Report, None, None));
        }
    }
}

#[test]
fn rejected_calls_say_nothing_of_use_where_use_is_asked() {
    for rejected in [None, Some(crate::drift::rejected())] {
        let evidence = Evidence::RejectedCalls(rejected);
        let found = outcome("terminate", &launched(HOUR), Discovery::Sweep, &evidence);
        assert_eq!(found, ASKED);
    }
}

#[test]
fn the_policy_says_how_long_an_instance_is_new_and_recent() {
    let policy = policy(
        r#"{"require": {"http_tokens": "required"}, "on_violation": "stop",
            "new_instances": {"disrupt_within_minutes": 60, "enforce_within_hours": 168}}"#,
    );
    let stopped = (Action::Stop, None, None);
    let at = |age, evidence| {
        let instance = launched(age);
        outcome_by(&policy, &instance, Discovery::Sweep, &evidence)
    };
    let no_data = || Evidence::Usage(unknown(NotKnown::NoData));
    assert_eq!(at(HOUR, Evidence::NotAsked), stopped);
    assert_eq!(at(HOUR + 1, Evidence::NotAsked), ASKED);
    assert_eq!(at(HOUR + 1, no_data()), NOT_NEW);
    assert_eq!(at(7 * DAY, no_data()), NOT_NEW);
    assert_eq!(at(7 * DAY + 1, no_data()), USAGE_UNKNOWN);
}

#[test]
fn an_hour_of_recency_within_the_disruption_window_changes_nothing() {
    let policy = policy(
        r#"{"require": {"http_tokens": "required"}, "on_violation": "terminate",
            "new_instances": {"disrupt_within_minutes": 60, "enforce_within_hours": 1}}"#,
    );
    let at = |age| outcome_by(&policy, &launched(age), launch_event(), &Evidence::NotAsked);
    assert_eq!(at(HOUR), TERMINATED);
    assert_eq!(at(HOUR + 1), ASKED);
}
