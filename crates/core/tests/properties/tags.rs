//! Anybody who may tag can write most of the tags, so they only ever make milder what is done. Policies
//! of these tests have no rule that reads tags: such a rule is its author's choice.

use imds_core::decide::{Discovery, Evidence, UsageGate};
use imds_core::instance::Instance;
use imds_core::plan::Step;
use imds_core::policy::{Action, Policy};
use imds_core::usage::Usage;
use proptest::prelude::*;
use proptest::sample::select;

use crate::strategies::{instance, policy};
use crate::{drift, launch, now};

fn tag() -> impl Strategy<Value = (String, String)> {
    const KEYS: &[&str] = &[
        "Name",
        "CreatedBy",
        "AWSApplicationMigrationServiceManaged",
        "AWSElasticDisasterRecoveryManaged",
        "Ec2ImageBuilderArn",
        "aws:autoscaling:groupName",
        "aws:backup:source-resource",
        "aws:batch:compute-environment",
        "aws:cloudformation:stack-name",
        "aws:ec2:fleet-id",
        "aws:ec2launchtemplate:id",
        "aws:ec2spot:fleet-request-id",
        "aws:elasticmapreduce:job-flow-id",
        "eks:nodegroup-name",
        "elasticbeanstalk:environment-name",
        "karpenter.sh/nodepool",
        "karpenter.sh/provisioner-name",
        "kubernetes.io/cluster/x",
        "sigs.k8s.io/cluster-api-provider-aws/cluster/x",
        "spotinst:aws:ec2:group:id",
    ];
    const VALUES: &[&str] = &[
        "",
        "owned",
        "x",
        "EC2 Image Builder",
        "Packer Builder",
        "6 since 2026-06-15T11:30:00Z",
        "-1 since 2026-06-15T11:30:00Z",
        "released 1781524800000",
        "2026-06-15T11:30:00Z",
    ];
    let key = prop_oneof![4 => select(KEYS).prop_map(str::to_owned), 1 => "[a-z:/]{1,20}"];
    let value = prop_oneof![4 => select(VALUES).prop_map(str::to_owned), 1 => "[a-z0-9 ]{0,20}"];
    (key, value)
}

fn principal() -> impl Strategy<Value = String> {
    let service = "[a-z]{2,12}".prop_map(|name| format!("{name}.amazonaws.com"));
    let arn = "[a-z]{2,12}".prop_map(|name| format!("arn:aws:iam::111122223333:role/{name}"));
    prop_oneof![service, arn]
}

fn discovery() -> impl Strategy<Value = (Discovery, Evidence)> {
    let unused = Usage::Unused {
        since: now(),
        not_started_within_window: false,
    };
    let in_use = Usage::InUse {
        calls: 1,
        last_at: now(),
    };
    let discovery = select(vec![
        launch(),
        Discovery::Start,
        Discovery::Sweep,
        drift(),
        Discovery::Request(UsageGate::Policy),
    ]);
    let evidence = select(vec![
        Evidence::NotAsked,
        Evidence::Usage(unused),
        Evidence::Usage(in_use),
        Evidence::RejectedCalls(None),
    ]);
    (discovery, evidence)
}

/// A policy without the rules that have one of these conditions.
fn without(conditions: &'static [&'static str]) -> impl Strategy<Value = Policy> {
    policy().prop_map(move |(mut document, _)| {
        let rules = document["rules"].as_array_mut().unwrap();
        rules.retain(|rule| conditions.iter().all(|it| rule["when"].get(it).is_none()));
        Policy::parse(&document.to_string()).unwrap()
    })
}

fn action(
    policy: &Policy,
    instance: &Instance,
    (discovery, evidence): &(Discovery, Evidence),
) -> Option<Action> {
    let step = Step::new(policy, instance.clone(), now(), *discovery, evidence);
    step.non_compliant().map(|it| it.action)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn tags_only_ever_make_milder_what_is_done(
        policy in without(&["tags", "auto_scaling"]), plain in instance(), found in discovery(),
        tags in prop::collection::vec(tag(), 1..4),
    ) {
        let mut tagged = plain.clone();
        for (key, value) in tags {
            tagged.tags.entry(key).or_insert(value);
        }
        let (without, with) = (action(&policy, &plain, &found), action(&policy, &tagged, &found));
        prop_assert_eq!(without.is_some(), with.is_some());
        prop_assert!(with <= without, "{:?} {:?}", with, without);
        // However mild, what would be enforced is enforced, unless its drift was enforced too often.
        let is_drift = matches!(found.0, Discovery::Drift { .. });
        prop_assert!(is_drift || with.min(Some(Action::Enforce)) == without.min(Some(Action::Enforce)));
    }

    #[test]
    fn who_launched_an_instance_only_ever_makes_milder_what_is_done(
        policy in without(&["principals"]), plain in instance(), found in discovery(),
        by in principal(),
    ) {
        let mut launched = plain.clone();
        launched.principals.push(by);
        let (without, with) = (action(&policy, &plain, &found), action(&policy, &launched, &found));
        prop_assert!(with <= without, "{:?} {:?}", with, without);
        prop_assert_eq!(with.min(Some(Action::Enforce)), without.min(Some(Action::Enforce)));
    }
}
