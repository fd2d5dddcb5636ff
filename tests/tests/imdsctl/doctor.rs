//! `imdsctl doctor`: what works, what is missing, and what to do about it.

use imds_tests::{FakeAws, Imdsctl, InjectedFault, Ran, RecordedCall, launch};
use serde_json::Value;

use crate::reading::*;

const MODIFY_PERMISSION: &str = "ec2:ModifyInstanceMetadataOptions";

pub(crate) fn doctor(fake: &FakeAws, more: &[&str]) -> Ran {
    Imdsctl::against(fake).arg("doctor").args(more).run()
}

fn one_instance_each() -> FakeAws {
    let fake = two_regions();
    fake.launch(launch(HERE));
    fake.launch(launch(THERE));
    fake
}

#[test]
fn everything_allowed_exits_with_0_and_nothing_is_changed() {
    let fake = one_instance_each();
    let ran = doctor(&fake, &[]);
    let output = &ran.ended_with(0).stdout;
    assert!(
        output.starts_with("✓ credentials: account 111122223333, arn:aws:sts::"),
        "{output}"
    );
    assert!(
        output.contains("✓ regions: 2: eu-central-1, us-east-1"),
        "{output}"
    );
    for line in [
        "✓ scan: ec2:DescribeInstances",
        "✓ usage, scan --usage: cloudwatch:GetMetricData",
        "✓ scan --user-data: ec2:DescribeInstanceAttribute",
        "✓ scan --templates, scan --user-data: ec2:DescribeLaunchTemplates, \
         ec2:DescribeLaunchTemplateVersions, ec2:DescribeImages, \
         autoscaling:DescribeLaunchConfigurations, autoscaling:DescribeAutoScalingGroups, \
         ec2:DescribeFleets, ec2:DescribeSpotFleetRequests",
        "✓ defaults show, scan --defaults: ec2:GetInstanceMetadataDefaults",
        "✓ enforce, rollback: ec2:ModifyInstanceMetadataOptions",
        "✓ defaults set: ec2:ModifyInstanceMetadataDefaults",
    ] {
        assert!(
            output.lines().any(|shown| shown == line),
            "{line}: {output}"
        );
    }
    assert!(output.contains("✓ journal: can be written to "), "{output}");
    assert!(
        output.ends_with("\nimdsctl has everything it needs.\n"),
        "{output}"
    );
    assert!(!output.contains(['✗', '!']), "{output}");
    assert!(!output.contains("secret"), "{output}");
    assert!(fake.changing_calls().is_empty());
    for action in [MODIFY, "ModifyInstanceMetadataDefaults"] {
        let tried = fake.calls_to(action);
        let dry = |call: &RecordedCall| call.param("DryRun") == Some("true");
        assert!(tried.len() == 2 && tried.iter().all(dry), "{action}");
    }
}

#[test]
fn a_missing_permission_is_named_with_what_it_is_for_and_where() {
    for (action, line) in [
        (
            "GetMetricData",
            "usage, scan --usage in eu-central-1: cloudwatch:GetMetricData: ",
        ),
        (
            "DescribeInstanceAttribute",
            "scan --user-data in eu-central-1: ec2:DescribeInstanceAttribute: ",
        ),
        (
            "DescribeImages",
            "scan --templates, scan --user-data in eu-central-1: ec2:DescribeImages: ",
        ),
        (
            "GetInstanceMetadataDefaults",
            "defaults show, scan --defaults in eu-central-1: ec2:GetInstanceMetadataDefaults: ",
        ),
        (
            MODIFY,
            "enforce, rollback in eu-central-1: ec2:ModifyInstanceMetadataOptions: ",
        ),
        (
            "ModifyInstanceMetadataDefaults",
            "defaults set in eu-central-1: ec2:ModifyInstanceMetadataDefaults: ",
        ),
    ] {
        let fake = one_instance_each();
        fake.fault(InjectedFault::unauthorized().action(action).region(HERE));
        let ran = doctor(&fake, &[]);
        // What is optional is optional.
        let output = &ran.ended_with(0).stdout;
        let (_, permission) = line.trim_end_matches(": ").split_once(": ").unwrap();
        assert!(output.contains(&format!("\n- {line}")), "{output}");
        assert!(
            output.contains(&format!("  next: allow {permission}\n")),
            "{output}"
        );
        let elsewhere = line.replace(HERE, THERE);
        let (elsewhere, _) = elsewhere.split_once(':').unwrap();
        assert!(
            output.contains(&format!("✓ {elsewhere}: {permission}\n")),
            "{output}"
        );
        assert_eq!(output.matches("\n- ").count(), 1, "{output}");
        assert!(output.contains("\nimdsctl can scan; "), "{output}");
        assert!(fake.changing_calls().is_empty());
    }
}

#[test]
fn nothing_works_without_the_permission_to_scan() {
    let fake = one_instance_each();
    fake.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region(HERE),
    );
    let ran = doctor(&fake, &[]);
    let output = &ran.ended_with(3).stdout;
    let refused = "✗ scan in eu-central-1: ec2:DescribeInstances: UnauthorizedOperation";
    says(output, &[refused, "  next: allow ec2:DescribeInstances\n"]);
    says(output, &["✓ scan in us-east-1: ec2:DescribeInstances\n"]);
    let not_tried = "! enforce, rollback in eu-central-1: ec2:ModifyInstanceMetadataOptions: not tried: no instance can be described";
    says(output, &[not_tried]);
    assert_eq!(output.matches('✗').count(), 1, "{output}");
    assert!(output.ends_with("\n1 problem found.\n"), "{output}");
}

#[test]
fn regions_with_the_same_result_share_a_line() {
    let fake = one_instance_each();
    for action in ["DescribeImages", "DescribeLaunchTemplates"] {
        fake.fault(InjectedFault::unauthorized().action(action));
    }
    let ran = doctor(&fake, &[]);
    let output = &ran.ended_with(0).stdout;
    let missing = output.lines().filter(|line| line.starts_with("- "));
    let missing: Vec<_> = missing.collect();
    assert_eq!(missing.len(), 2, "{output}");
    assert!(!missing.concat().contains(" in "), "{output}");
}

#[test]
fn a_denial_says_which_kind_of_policy_denies_and_who_can_allow_it() {
    let denied = |by: &str| {
        let fake = one_instance_each();
        let message = format!(
            "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/ada is not authorized to perform: {MODIFY_PERMISSION} on resource: arn:aws:ec2:eu-central-1:111122223333:instance/i-0 {by}. Encoded authorization failure message: abc"
        );
        let fault = InjectedFault::unauthorized().message(&message);
        fake.fault(fault.action(MODIFY));
        let ran = doctor(&fake, &[]);
        ran.ended_with(0).stdout.clone()
    };
    for (by, next) in [
        (
            "with an explicit deny in a service control policy",
            "an administrator of the organization must allow ec2:ModifyInstanceMetadataOptions",
        ),
        (
            "because no permissions boundary allows the ec2:ModifyInstanceMetadataOptions action",
            "allow ec2:ModifyInstanceMetadataOptions in the permissions boundary",
        ),
        (
            "because no session policy allows the ec2:ModifyInstanceMetadataOptions action",
            "allow ec2:ModifyInstanceMetadataOptions in the policy of the session",
        ),
        (
            "with an explicit deny in an identity-based policy",
            "remove what denies ec2:ModifyInstanceMetadataOptions",
        ),
        (
            "because no identity-based policy allows the ec2:ModifyInstanceMetadataOptions action",
            "allow ec2:ModifyInstanceMetadataOptions",
        ),
    ] {
        let output = denied(by);
        let line =
            format!("- enforce, rollback: {MODIFY_PERMISSION}: denied {by}\n  next: {next}\n");
        assert!(output.contains(&line), "{line}: {output}");
    }
}

#[test]
fn without_an_instance_the_permission_to_change_is_not_tested() {
    let fake = FakeAws::start();
    fake.launch(launch(HERE).state("terminated"));
    fake.launch(launch(HERE).endpoint("disabled"));
    fake.launch(launch(HERE).managed_by("eks.amazonaws.com"));
    let ran = doctor(&fake, &["--region", HERE]);
    let output = &ran.ended_with(0).stdout;
    assert!(
        output.contains("! enforce, rollback: ec2:ModifyInstanceMetadataOptions: not tried: "),
        "{output}"
    );
    assert!(
        output.ends_with("\nNo problems found; see the notes marked with `!`.\n"),
        "{output}"
    );
    assert_eq!(fake.count("ModifyInstanceMetadataOptions"), 0);
}

#[test]
fn the_permission_to_change_is_tested_on_a_compliant_instance_if_there_is_one() {
    let fake = FakeAws::start();
    fake.launch(launch(HERE));
    let required = fake.launch(launch(HERE).tokens("required"));
    doctor(&fake, &["--region", HERE]).ended_with(0);
    let tried = fake.calls_to("ModifyInstanceMetadataOptions");
    assert_eq!(tried[0].param("InstanceId"), Some(required.as_str()));
}

#[test]
fn a_dry_run_that_fails_for_another_reason_proves_nothing() {
    let fake = FakeAws::start();
    fake.launch(launch(HERE).refuse_modify(1));
    let ran = doctor(&fake, &["--region", HERE]);
    let output = &ran.ended_with(0).stdout;
    assert!(
        output.contains("! enforce, rollback: ec2:ModifyInstanceMetadataOptions: not known: "),
        "{output}"
    );
    assert!(output.contains("IncorrectInstanceState"), "{output}");
}

#[test]
fn the_enforcement_of_tokens_is_reported_because_it_prevents_a_rollback() {
    let fake = one_instance_each();
    fake.enforce_tokens(THERE);
    let ran = doctor(&fake, &[]);
    let output = &ran.ended_with(0).stdout;
    assert!(
        output.contains("! defaults show, scan --defaults in us-east-1: ec2:GetInstanceMetadataDefaults: HttpTokensEnforced is on"),
        "{output}"
    );
    assert_eq!(output.matches("HttpTokensEnforced").count(), 1, "{output}");
}

#[test]
fn a_region_that_is_not_enabled_differs_from_a_missing_permission() {
    let fake = one_instance_each();
    fake.opt_out(THERE, "OptInRequired");
    let ran = doctor(&fake, &["--region", "eu-central-1,us-east-1"]);
    let output = &ran.ended_with(3).stdout;
    assert!(
        output.contains(
            "  next: enable the region for the account, or exclude it with `--exclude-region`\n"
        ),
        "{output}"
    );
}

#[test]
fn expired_credentials_are_reported_once() {
    let fake = one_instance_each();
    fake.fault(InjectedFault::expired());
    let ran = doctor(&fake, &[]);
    let output = &ran.ended_with(3).stdout;
    assert!(output.starts_with("✗ credentials: "), "{output}");
    assert!(
        output.contains("  next: renew them (`aws sso login`"),
        "{output}"
    );
    assert_eq!(output.matches('✗').count(), 1, "{output}");
}

#[test]
fn missing_credentials_are_a_usage_error() {
    let ran = Imdsctl::offline().arg("doctor").run();
    assert!(
        ran.ended_with(2).stderr.contains("aws configure"),
        "{}",
        ran.stderr
    );
}

#[test]
fn if_regions_cannot_be_listed_the_own_region_is_checked() {
    let fake = one_instance_each();
    fake.fault(InjectedFault::unauthorized().action("DescribeRegions"));
    let ran = doctor(&fake, &[]);
    let output = &ran.ended_with(3).stdout;
    assert!(output.contains("✗ regions: "), "{output}");
    assert!(
        output.contains("  next: allow ec2:DescribeRegions, or name the regions with `--region`\n"),
        "{output}"
    );
    assert!(
        output.contains("✓ scan: ec2:DescribeInstances\n") && !output.contains(HERE),
        "{output}"
    );
}

#[test]
fn a_folder_that_cannot_hold_the_journal_is_reported() {
    let fake = one_instance_each();
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join(".local")).unwrap();
    std::fs::write(home.path().join(".local/state"), "").unwrap();
    let ran = Imdsctl::against(&fake)
        .arg("doctor")
        .home(home.path())
        .run();
    let output = &ran.ended_with(3).stdout;
    assert!(
        output.contains("✗ journal: cannot be written to "),
        "{output}"
    );
    assert!(output.contains("`--journal`"), "{output}");
}

#[test]
fn json_has_a_verdict_for_every_check() {
    let fake = one_instance_each();
    fake.fault(
        InjectedFault::unauthorized()
            .action("GetMetricData")
            .region(HERE),
    );
    fake.enforce_tokens(THERE);
    let ran = doctor(&fake, &["--json"]);
    let output: Value = serde_json::from_str(&ran.ended_with(0).stdout).unwrap();
    assert_eq!(output["fine"], true);
    let checks = output["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 2 + 2 * 13 + 1);
    let verdict = |region: &str, what: &str| {
        let mut found = checks
            .iter()
            .filter(|c| c["region"] == region && c["what"] == what);
        found.next().unwrap()["verdict"].clone()
    };
    assert_eq!(verdict(HERE, "cloudwatch:GetMetricData"), "missing");
    assert_eq!(verdict(HERE, "ec2:GetInstanceMetadataDefaults"), "fine");
    assert_eq!(verdict(THERE, "ec2:GetInstanceMetadataDefaults"), "note");
}
