//! What holds for every policy and every fleet, compared with an oracle that shares no code with the
//! decision.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

mod ages;
mod oracle;
mod strategies;
mod table;
mod tags;

use imds_core::decide::{Decision, Discovery, Evidence};
use imds_core::instance::{Instance, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use imds_core::plan::{Plan, Step};
use imds_core::policy::Action;
use imds_core::usage::Usage;
use jiff::Timestamp;
use proptest::prelude::*;

use oracle::{ExpectedDecision, oracle};
use strategies::{instance, policy};

fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

/// At once.
fn launch() -> Discovery {
    Discovery::Launch { at: Some(now()) }
}

/// Somebody made tokens optional and the hop limit as high as can be.
fn drift() -> Discovery {
    let set = MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        hop_limit: Some(HopLimit::MAX),
        ..MetadataOptions::default()
    };
    Discovery::Drift { at: None, set }
}

/// What EC2 would make of the plan.
fn applied(plan: &Plan) -> Vec<Instance> {
    let after = plan.steps.iter().map(|step| {
        let mut instance = step.instance.clone();
        if let Decision::NonCompliant(non_compliant) = &step.decision {
            match non_compliant.action {
                Action::Report => {}
                Action::Enforce => set(&mut instance, non_compliant.change.set()),
                Action::Stop => {
                    set(&mut instance, non_compliant.change.set());
                    instance.state = Some(State::Stopped);
                }
                Action::Terminate => instance.state = Some(State::Terminated),
            }
        }
        instance
    });
    after.collect()
}

fn set(instance: &mut Instance, sent: &MetadataOptions) {
    let kept = instance.options;
    instance.options = MetadataOptions {
        http_tokens: sent.http_tokens.or(kept.http_tokens),
        http_endpoint: sent.http_endpoint.or(kept.http_endpoint),
        hop_limit: sent.hop_limit.or(kept.hop_limit),
        http_protocol_ipv6: sent.http_protocol_ipv6.or(kept.http_protocol_ipv6),
        instance_metadata_tags: sent.instance_metadata_tags.or(kept.instance_metadata_tags),
    };
}

fn acts(decision: &Decision) -> bool {
    matches!(decision, Decision::NonCompliant(non_compliant) if non_compliant.action > Action::Report)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn the_decision_is_the_oracle_s(
        (document, policy) in policy(), fleet in proptest::collection::vec(instance(), 1..6),
    ) {
        let plan = Plan::new(&policy, fleet, now(), launch());
        for step in plan.steps {
            let decided = match &step.decision {
                Decision::Gone(_) => ExpectedDecision::Gone,
                Decision::Exempt(exempt) => ExpectedDecision::Exempt(exempt.rule().unwrap().to_owned()),
                Decision::Compliant(_) => ExpectedDecision::Compliant,
                Decision::NonCompliant(non_compliant) => {
                    let action = non_compliant.instead.as_ref().map_or(non_compliant.action, |it| it.of);
                    let options = non_compliant.violations.iter().map(|v| v.option().name()).collect();
                    ExpectedDecision::NonCompliant { options, action: action.to_string() }
                }
            };
            prop_assert_eq!(decided, oracle(&document, &step.instance));
        }
    }

    #[test]
    fn after_a_plan_is_applied_nothing_is_left_to_do(
        (_, policy) in policy(), fleet in proptest::collection::vec(instance(), 1..6),
        drift in any::<bool>(), unused in any::<bool>(),
    ) {
        let discovery = if drift { crate::drift() } else { launch() };
        let evidence = match (drift, unused) {
            (true, _) => Evidence::RejectedCalls(None),
            (false, true) => Evidence::Usage(Usage::Unused { since: now(), not_started_within_window: true }),
            (false, false) => Evidence::NotAsked,
        };
        let step = |instance| Step::new(&policy, instance, now(), discovery, &evidence);
        let plan = Plan { steps: fleet.into_iter().map(step).collect(), observed_at: now() };
        for step in applied(&plan).into_iter().map(step) {
            prop_assert!(!acts(&step.decision), "{}", step);
        }
    }

    #[test]
    fn no_plan_widens_exposure(
        (document, policy) in policy(), fleet in proptest::collection::vec(instance(), 1..6),
    ) {
        let plan = Plan::new(&policy, fleet, now(), launch());
        for (step, after) in plan.steps.iter().zip(applied(&plan)) {
            let (before, after) = (step.instance.options, after.options);
            let required = Some(HttpTokens::Required);
            prop_assert!(before.http_tokens != required || after.http_tokens == required);
            if before.http_endpoint == Some(Toggle::Disabled) {
                prop_assert_eq!(before, after);
            }
            prop_assert!(after.http_endpoint != Some(Toggle::Enabled) || before.http_endpoint == after.http_endpoint);
            if let Some(non_compliant) = step.non_compliant() {
                let set = non_compliant.change.set();
                prop_assert!(policy.could_have_set(set), "{} of {}", set, step);
            }
            // Only violations changed.
            let violations = match oracle(&document, &step.instance) {
                ExpectedDecision::NonCompliant { options, .. } => options,
                _ => vec![],
            };
            let changed = [
                ("http_tokens", before.http_tokens != after.http_tokens),
                ("hop_limit", before.hop_limit != after.hop_limit),
                ("http_endpoint", before.http_endpoint != after.http_endpoint),
                ("http_protocol_ipv6", before.http_protocol_ipv6 != after.http_protocol_ipv6),
                ("instance_metadata_tags", before.instance_metadata_tags != after.instance_metadata_tags),
            ];
            for (option, changed) in changed {
                prop_assert!(!changed || violations.contains(&option), "{} of {}", option, step);
            }
        }
    }

    #[test]
    fn every_instance_has_exactly_one_step(
        (_, policy) in policy(), fleet in proptest::collection::vec(instance(), 0..6),
    ) {
        let mut plan = Plan::new(&policy, fleet.clone(), now(), launch());
        let waiting = plan.split_off_waiting(&policy, now());
        let ready = plan.steps.iter().map(|step| step.instance.clone());
        let mut once: Vec<_> = ready.chain(waiting.into_iter().flat_map(|w| w.instances)).collect();
        let mut all = fleet;
        once.sort_by(|a, b| a.id.cmp(&b.id));
        all.sort_by(|a, b| a.id.cmp(&b.id));
        prop_assert_eq!(once, all);
    }
}
