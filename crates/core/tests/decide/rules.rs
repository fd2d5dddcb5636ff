//! Rules: which one decides, and what it changes.

use imds_core::decide::{Because, Compliant, Decision, Instead};
use imds_core::options::HttpTokens;
use imds_core::policy::Action;

use crate::{done, hops, launch, non_compliant, open, tagged, tokens_and_hops, with};

const EXEMPT_PACKER: &str =
    r#"{"name": "packer", "when": {"principals": ["*:role/packer"]}, "action": "exempt"}"#;

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = r#"{"name": "a", "when": {"tags": {"app": "scan*"}}, "action": "report"},
                   {"name": "b", "when": {"tags": {"app": "*"}}, "action": "stop"}"#;
    let policy = tokens_and_hops("enforce", rules);
    let first = non_compliant(launch(&policy, &tagged("app", "scanner")));
    assert_eq!(
        (done(&first), first.rule.as_deref()),
        ((Action::Report, None), Some("a"))
    );
    let second = non_compliant(launch(&policy, &tagged("app", "web")));
    assert_eq!(
        (done(&second), second.rule.as_deref()),
        ((Action::Stop, None), Some("b"))
    );
    assert_eq!(non_compliant(launch(&policy, &open())).rule, None);
}

#[test]
fn a_rule_overrides_what_is_required_key_by_key() {
    let rules = r#"{"name": "k8s", "when": {"tags": {"eks:cluster-name": "*"}}, "require": {"hop_limit": {"at_least": 2}}}"#;
    let policy = tokens_and_hops("enforce", rules);
    let instance = tagged("eks:cluster-name", "prod");
    assert_eq!(
        non_compliant(launch(&policy, &instance)).change.to_string(),
        "http_tokens=required hop_limit=2"
    );
    let compliant = with(|i| {
        i.tags
            .insert("eks:cluster-name".to_owned(), "prod".to_owned());
        i.options.http_tokens = Some(HttpTokens::Required);
        i.options.hop_limit = Some(hops(5));
    });
    let rule = Some("k8s".to_owned());
    assert_eq!(
        launch(&policy, &compliant),
        Decision::Compliant(Compliant::AsRequired { rule })
    );
}

#[test]
fn an_exemption_holds_through_its_last_day_and_its_expiry_is_reported() {
    let rules = |expires: &str| {
        format!(
            r#"{{"name": "old", "when": {{"tags": {{"app": "x"}}}}, "action": "exempt", "expires": "{expires}", "reason": "ticket 1"}}"#
        )
    };
    let on_its_last_day = tokens_and_hops("enforce", &rules("2026-06-15"));
    let decision = launch(&on_its_last_day, &tagged("app", "x"));
    assert_eq!(
        decision.to_string(),
        "exempt by rule `old` (ticket 1), expires after 2026-06-15"
    );
    let past = tokens_and_hops("enforce", &rules("2026-06-14"));
    let non_compliant = non_compliant(launch(&past, &tagged("app", "x")));
    assert_eq!(non_compliant.expired, ["old"]);
    assert!(
        non_compliant
            .to_string()
            .ends_with("the exemption of rule `old` has expired"),
        "{non_compliant}"
    );
}

#[test]
fn a_launching_principal_matches_by_session_or_by_role() {
    let policy = tokens_and_hops("terminate", EXEMPT_PACKER);
    let by = |arn: &str| {
        with(|i| {
            i.principals = vec![
                "arn:aws:sts::1:assumed-role/packer/x".to_owned(),
                arn.to_owned(),
            ]
        })
    };
    let decision = launch(&policy, &by("arn:aws:iam::1:role/packer"));
    assert!(matches!(decision, Decision::Exempt(_)));
    let decision = launch(&policy, &by("arn:aws:iam::1:role/other"));
    assert_eq!(done(&non_compliant(decision)), (Action::Terminate, None));
}

#[test]
fn where_the_principal_is_not_known_the_mildest_action_that_may_apply_is_done() {
    let unknown = non_compliant(launch(
        &tokens_and_hops("terminate", EXEMPT_PACKER),
        &open(),
    ));
    let because = Because::LauncherUnknown("packer".to_owned());
    let of = Action::Terminate;
    assert_eq!(
        done(&unknown),
        (Action::Report, Some(&Instead { of, because }))
    );
    let harsher = r#"{"name": "h", "when": {"principals": ["*x"]}, "action": "terminate"}"#;
    let unknown = non_compliant(launch(&tokens_and_hops("enforce", harsher), &open()));
    assert_eq!(done(&unknown), (Action::Enforce, None));
}
