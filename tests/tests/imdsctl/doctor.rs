//! `imdsctl doctor`: what works, what is missing, and what to do about it.

use imds_tests::{FakeAws, Imdsctl, InjectedFault, Ran, launch};
use serde_json::Value;

use crate::reading::*;

fn doctor(fake: &FakeAws, more: &[&str]) -> Ran {
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
    let allowed = "ec2:DescribeInstances, cloudwatch:GetMetricData, \
                   ec2:ModifyInstanceMetadataOptions, ec2:GetInstanceMetadataDefaults";
    assert!(
        output.contains(&format!("✓ {HERE}: allowed: {allowed}\n")),
        "{output}"
    );
    assert!(output.contains("✓ journal: can be written to "), "{output}");
    assert!(
        output.ends_with("\nimdsctl has everything it needs.\n"),
        "{output}"
    );
    assert!(!output.contains(['✗', '!']), "{output}");
    assert!(!output.contains("secret"), "{output}");
    assert!(fake.changing_calls().is_empty());
    let tried = fake.calls_to("ModifyInstanceMetadataOptions");
    assert!(
        tried.len() == 2
            && tried
                .iter()
                .all(|call| call.param("DryRun") == Some("true"))
    );
}

#[test]
fn a_missing_permission_is_named_with_its_region_and_what_to_do() {
    let permissions = [
        ("DescribeInstances", "ec2:DescribeInstances"),
        ("GetMetricData", "cloudwatch:GetMetricData"),
        (
            "ModifyInstanceMetadataOptions",
            "ec2:ModifyInstanceMetadataOptions",
        ),
        (
            "GetInstanceMetadataDefaults",
            "ec2:GetInstanceMetadataDefaults",
        ),
    ];
    for (action, permission) in permissions {
        let fake = one_instance_each();
        fake.fault(InjectedFault::unauthorized().action(action).region(HERE));
        let ran = doctor(&fake, &[]);
        let output = &ran.ended_with(3).stdout;
        assert!(
            output.contains(&format!("✗ {HERE}: {permission}: ")),
            "{output}"
        );
        assert!(
            output.contains(&format!("  next: allow {permission}\n")),
            "{output}"
        );
        assert!(
            output.contains(&format!("✓ {THERE}: allowed: ec2:Desc")),
            "{output}"
        );
        assert_eq!(output.matches('✗').count(), 1, "{output}");
        assert!(output.ends_with("\n1 problem found.\n"), "{output}");
        assert!(fake.changing_calls().is_empty());
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
        output.contains("! eu-central-1: ec2:ModifyInstanceMetadataOptions: not tried: "),
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
        output.contains("! eu-central-1: ec2:ModifyInstanceMetadataOptions: not known: "),
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
        output.contains("! us-east-1: ec2:GetInstanceMetadataDefaults: HttpTokensEnforced is on"),
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
        output.contains("✓ us-east-1: allowed: ") && !output.contains(HERE),
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
    let output: Value = serde_json::from_str(&ran.ended_with(3).stdout).unwrap();
    assert_eq!(output["fine"], false);
    let checks = output["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 2 + 2 * 4 + 1);
    let verdict = |region: &str, what: &str| {
        let mut found = checks
            .iter()
            .filter(|c| c["region"] == region && c["what"] == what);
        found.next().unwrap()["verdict"].clone()
    };
    assert_eq!(verdict(HERE, "cloudwatch:GetMetricData"), "failed");
    assert_eq!(verdict(HERE, "ec2:GetInstanceMetadataDefaults"), "fine");
    assert_eq!(verdict(THERE, "ec2:GetInstanceMetadataDefaults"), "note");
}
