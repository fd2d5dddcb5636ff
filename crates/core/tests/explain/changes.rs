//! Changes of options.

use imds_core::evaluation::Evaluation;
use imds_core::explain::{Explanation, explain};
use serde_json::{Value, json};

use crate::{fixture, now, policy, read};

/// The function's own change, with `change` made to the record.
fn explained(change: impl FnOnce(&mut Value)) -> Explanation {
    let mut event: Value = serde_json::from_str(&read("metadata-change-our-own.json")).unwrap();
    let detail = &mut event["detail"];
    change(detail);
    explain(&event.to_string(), &policy(), now()).unwrap()
}

#[test]
fn a_change_says_whether_it_counts_as_the_functions_own() {
    let own = explained(|_| ());
    let role = "arn:aws:iam::111122223333:role/imds-enforcer";
    assert!(
        own.notes[1].starts_with(&format!("if the function's role is `{role}`")),
        "{:?}",
        own.notes
    );
    // Whatever a session is called, its role counts.
    let forged = fixture("metadata-change-in-our-name");
    let role = "arn:aws:iam::444455556666:role/maintenance";
    assert!(
        forged.notes[1].starts_with(&format!("if the function's role is `{role}`")),
        "{:?}",
        forged.notes
    );
    let not_recorded = forged.not_recorded.unwrap();
    assert!(not_recorded.at_most[0].starts_with("enforce"));
    // The principal that changed it is not the one that launched it.
    assert!(!forged.principals.is_empty());
    assert_eq!(not_recorded.rules[3].rule, "launched by hand");
    assert_eq!(not_recorded.rules[3].conditions[0].holds, None);
}

#[test]
fn a_change_that_the_policy_would_not_make_is_never_the_functions_own() {
    for (parameter, value) in [
        ("HttpTokens", json!("optional")),
        ("HttpEndpoint", json!("enabled")),
        ("HttpPutResponseHopLimit", json!(64)),
    ] {
        let widened = explained(|detail| {
            let request = &mut detail["requestParameters"]["ModifyInstanceMetadataOptionsRequest"];
            request[parameter] = value;
        });
        assert_eq!(
            widened.notes[1],
            "not the function's own change, whoever made it: this policy does not set such options"
        );
    }
}

#[test]
fn a_change_outside_of_a_role_is_never_the_functions_own() {
    let by_user = explained(|detail| {
        detail["userIdentity"] = json!({
            "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/imds-enforcer",
        });
    });
    assert_eq!(
        by_user.notes[1],
        "not the function's own change: it was not made in a role's session"
    );
}

#[test]
fn drift_is_enforced_at_most_and_rejected_calls_and_a_limit_keep_it_from_that() {
    let not_recorded = explained(|_| ()).not_recorded.unwrap();
    assert_eq!(
        not_recorded.at_most,
        [
            "enforce, because only its options changed",
            "report, where calls without a token were rejected in the 24 hours before",
            "report, after 6 enforcements within the hour",
        ]
    );
    assert_eq!(
        not_recorded.calls,
        [
            "DescribeInstances instance-id=i-009026ba8176acb36",
            "GetMetricData MetadataNoTokenRejected, if it is not compliant",
        ]
    );
    assert_eq!(not_recorded.rules[0].evaluation, Evaluation::Unknown);
}
