//! Spot requests, and capacity that is paid for whether or not an instance runs on it.

use imds_core::decide::{BecauseWord, Discovery, Evidence, Question};
use imds_core::instance::{DedicatedCapacity, Instance, SpotRequest};
use imds_core::policy::Action;
use imds_core::replacer::Replacer;

use crate::{
    HOUR, Outcome, launch, launch_event, launched, non_compliant, outcome, outcome_by, tagged,
    tokens_and_hops, unused, with,
};

fn spot(id: Option<&str>, is_persistent: Option<bool>) -> Instance {
    with(|i| {
        i.spot = Some(SpotRequest {
            id: id.map(str::to_owned),
            is_persistent,
        });
    })
}

fn new(required: &str, instance: &Instance) -> Outcome {
    outcome(required, instance, launch_event(), &Evidence::NotAsked)
}

const REPLACED: Outcome = (Action::Enforce, Some(BecauseWord::Replaced), None);

#[test]
fn a_persistent_spot_request_replaces_the_instance() {
    let persistent = spot(Some("sir-1"), Some(true));
    for required in ["stop", "terminate"] {
        assert_eq!(new(required, &persistent), REPLACED);
    }
    let request = Replacer::SpotRequest(Some("sir-1".to_owned()));
    assert_eq!(Replacer::spot_request(&persistent), Some(request));
    let decided = non_compliant(launch(&tokens_and_hops("stop", ""), &persistent));
    assert!(
        decided.to_string().contains("Spot request `sir-1`"),
        "{decided}"
    );
}

#[test]
fn an_instance_of_a_one_time_request_is_disrupted_like_any_other() {
    let one_time = spot(Some("sir-1"), Some(false));
    assert_eq!(new("stop", &one_time), (Action::Stop, None, None));
    assert_eq!(new("terminate", &one_time), (Action::Terminate, None, None));
    assert_eq!(Replacer::spot_request(&one_time), None);
}

#[test]
fn whether_a_spot_request_is_persistent_is_asked_and_until_then_nothing_is_disrupted() {
    let unknown = spot(Some("sir-1"), None);
    for required in ["stop", "terminate"] {
        let (action, because, question) = new(required, &unknown);
        assert_eq!(question, Some(Question::SpotRequest));
        assert_eq!(because, Some(BecauseWord::Replaced));
        assert!(action <= Action::Enforce);
    }
}

#[test]
fn a_request_whose_id_is_not_known_may_be_persistent_and_cannot_be_asked() {
    assert_eq!(new("terminate", &spot(None, None)), REPLACED);
    assert_eq!(
        new("terminate", &spot(None, Some(false))),
        (Action::Terminate, None, None)
    );
}

#[test]
fn the_request_is_not_asked_where_it_does_not_matter() {
    let mut instance = spot(Some("sir-1"), None);
    let enforced = (Action::Enforce, None, None);
    assert_eq!(new("enforce", &instance), enforced);
    assert_eq!(new("report", &instance), (Action::Report, None, None));
    instance
        .tags
        .insert("karpenter.sh/nodepool".to_owned(), "x".to_owned());
    assert_eq!(new("terminate", &instance), REPLACED);

    let mut recent = launched(HOUR);
    recent.spot = spot(Some("sir-1"), None).spot;
    let evidence = Evidence::Usage(unused());
    let (action, because, question) = outcome("terminate", &recent, Discovery::Sweep, &evidence);
    assert_eq!((action, question), (Action::Enforce, None));
    assert_eq!(because, Some(BecauseWord::NotNew));
}

#[test]
fn a_rule_that_disrupts_what_is_replaced_asks_nothing() {
    let rule = r#"{"name": "a", "when": {"regions": "*"}, "action": "terminate", "even_if_replaced": true}"#;
    let policy = tokens_and_hops("enforce", rule);
    for is_persistent in [None, Some(true), Some(false)] {
        let instance = spot(Some("sir-1"), is_persistent);
        let found = outcome_by(&policy, &instance, launch_event(), &Evidence::NotAsked);
        assert_eq!(found, (Action::Terminate, None, None));
    }
}

#[test]
fn usage_is_asked_before_the_request() {
    let mut recent = launched(HOUR);
    recent.spot = spot(Some("sir-1"), None).spot;
    let (action, _, question) =
        outcome("terminate", &recent, Discovery::Sweep, &Evidence::NotAsked);
    assert_eq!((action, question), (Action::Report, Some(Question::Usage)));
}

#[test]
fn capacity_that_is_paid_for_anyway_is_not_disrupted() {
    for (dedicated, name) in [
        (DedicatedCapacity::CapacityBlock, "Capacity Block"),
        (DedicatedCapacity::DedicatedHost, "Dedicated Host"),
    ] {
        let instance = with(|i| i.dedicated = Some(dedicated));
        for required in ["stop", "terminate"] {
            let because = Some(BecauseWord::DedicatedCapacity);
            assert_eq!(new(required, &instance), (Action::Enforce, because, None));
            let decided = non_compliant(launch(&tokens_and_hops(required, ""), &instance));
            assert!(decided.to_string().contains(name), "{decided}");
        }
        assert_eq!(new("enforce", &instance), (Action::Enforce, None, None));
    }
}

#[test]
fn no_rule_disrupts_dedicated_capacity() {
    let rule =
        r#"{"name": "a", "when": {"regions": "*"}, "action": "stop", "even_if_replaced": true}"#;
    let policy = tokens_and_hops("enforce", rule);
    let mut instance = tagged("aws:autoscaling:groupName", "x");
    instance.dedicated = Some(DedicatedCapacity::CapacityBlock);
    let found = outcome_by(&policy, &instance, launch_event(), &Evidence::NotAsked);
    let because = Some(BecauseWord::DedicatedCapacity);
    assert_eq!(found, (Action::Enforce, because, None));
}
