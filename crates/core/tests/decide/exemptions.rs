//! Exemptions, and which instances need them.

use imds_core::decide::{Compliant, Decision, needed_exemptions};
use imds_core::instance::Instance;
use imds_core::options::{HttpTokens, Toggle};
use imds_core::policy::Policy;

use crate::{hops, launch, now, tagged, tokens_and_hops, with};

const SCANNER: &str =
    r#"{"name": "scanner", "when": {"tags": {"app": "scanner"}}, "action": "exempt"}"#;

fn scanner(tokens: HttpTokens, hop_limit: i64) -> Instance {
    with(|i| {
        i.tags.insert("app".to_owned(), "scanner".to_owned());
        i.options.http_tokens = Some(tokens);
        i.options.hop_limit = Some(hops(hop_limit));
    })
}

/// Whether a launch is exempt by `scanner`; `None`: it is compliant without it.
fn exempt(policy: &Policy, instance: &Instance) -> Option<String> {
    match launch(policy, instance) {
        Decision::Exempt(exempt) => exempt.rule().map(str::to_owned),
        Decision::Compliant(Compliant::NotExempted { rule }) => {
            assert_eq!(rule, "scanner");
            None
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_exempt_instance_with_nothing_wrong_is_compliant() {
    let policy = tokens_and_hops("terminate", SCANNER);
    let compliant = scanner(HttpTokens::Required, 2);
    assert_eq!(exempt(&policy, &compliant), None);
    assert_eq!(
        launch(&policy, &compliant).to_string(),
        "compliant without the exemption of rule `scanner`"
    );
    let mut disabled = scanner(HttpTokens::Optional, 64);
    disabled.options.http_endpoint = Some(Toggle::Disabled);
    assert_eq!(exempt(&policy, &disabled), None);
    for violating in [
        scanner(HttpTokens::Optional, 2),
        scanner(HttpTokens::Required, 3),
    ] {
        assert_eq!(exempt(&policy, &violating).as_deref(), Some("scanner"));
    }
    let mut unknown = compliant;
    unknown.options.http_tokens = None;
    assert_eq!(exempt(&policy, &unknown).as_deref(), Some("scanner"));
}

#[test]
fn what_another_rule_would_require_is_wrong_too() {
    let require = |when: &str| {
        let rule = format!(
            r#"{SCANNER}, {{"name": "nodes", "when": {when}, "require": {{"hop_limit": {{"at_least": 2}}}}}}"#
        );
        tokens_and_hops("enforce", &rule)
    };
    let (one, two) = (
        scanner(HttpTokens::Required, 1),
        scanner(HttpTokens::Required, 2),
    );
    // Whether the other rule matches is not known in the second case.
    for when in [r#"{"tags": {"app": "*"}}"#, r#"{"principals": "arn:x"}"#] {
        assert_eq!(
            exempt(&require(when), &one).as_deref(),
            Some("scanner"),
            "{when}"
        );
        assert_eq!(exempt(&require(when), &two), None, "{when}");
    }
    let other = require(r#"{"tags": {"app": "web"}}"#);
    assert_eq!(exempt(&other, &one), None);
}

#[test]
fn an_exemption_is_needed_by_what_it_exempts_or_may_exempt_and_by_nothing_else() {
    let packer = r#"{"name": "packer", "when": {"principals": "arn:x"}, "action": "exempt"}"#;
    let later = r#"{"name": "later", "when": {"regions": "eu-*"}, "action": "exempt"}"#;
    let policy = tokens_and_hops("enforce", &format!("{packer}, {SCANNER}, {later}"));
    let needed = |instance: &Instance| {
        let decision = launch(&policy, instance);
        let names = needed_exemptions(&policy, instance, &decision, now());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(needed(&tagged("app", "scanner")), ["packer", "scanner"]);
    assert_eq!(needed(&tagged("app", "web")), ["packer", "later"]);
    assert!(needed(&scanner(HttpTokens::Required, 2)).is_empty());
    let mut gone = tagged("app", "scanner");
    gone.state = Some(imds_core::instance::State::Terminated);
    assert!(needed(&gone).is_empty());
}

#[test]
fn expired_exemptions_and_those_of_other_accounts_are_no_exemptions_of_the_account() {
    let rule = |name: &str, more: &str| {
        format!(r#"{{"name": "{name}", "when": {{{more}}}, "action": "exempt"}}"#)
    };
    let here = rule("here", r#""accounts": "111122223333", "tags": {"a": "1"}"#);
    let there = rule("there", r#""accounts": "444455556666", "tags": {"a": "1"}"#);
    let old = r#"{"name": "old", "when": {"tags": {"a": "2"}}, "action": "exempt", "expires": "2026-06-14"}"#;
    let policy = tokens_and_hops("enforce", &format!("{here}, {there}, {old}, {SCANNER}"));
    let names = |account| {
        let rules = policy.exemptions(account, now());
        rules.map(|rule| rule.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names(Some("111122223333")), ["here", "scanner"]);
    assert_eq!(names(None), ["here", "there", "scanner"]);
}
