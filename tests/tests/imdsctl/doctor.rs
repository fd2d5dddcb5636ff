//! `imdsctl doctor`: what is there, what is not, and what to do about it.

use imds_tests::{Fault, Imdsctl, Ran, Standin, launch};
use serde_json::Value;

const HERE: &str = "eu-central-1";
const THERE: &str = "us-east-1";

fn doctor(standin: &Standin, more: &[&str]) -> Ran {
    Imdsctl::against(standin).arg("doctor").args(more).run()
}

fn two_regions() -> Standin {
    let standin = Standin::start();
    standin.set_regions(&[HERE, THERE]);
    standin.launch(launch(HERE));
    standin.launch(launch(THERE));
    standin
}

#[test]
fn all_is_well_where_all_is_allowed_and_nothing_is_changed() {
    let standin = two_regions();
    let ran = doctor(&standin, &[]);
    let told = &ran.ended_with(0).stdout;
    assert!(
        told.starts_with("✓ credentials: account 111122223333, arn:aws:sts::"),
        "{told}"
    );
    assert!(
        told.contains("✓ regions: 2: eu-central-1, us-east-1"),
        "{told}"
    );
    let allowed = "ec2:DescribeInstances, cloudwatch:GetMetricData, \
                   ec2:ModifyInstanceMetadataOptions, ec2:GetInstanceMetadataDefaults";
    assert!(
        told.contains(&format!("✓ {HERE}: allowed: {allowed}\n")),
        "{told}"
    );
    assert!(told.contains("✓ journal: can be kept in "), "{told}");
    assert!(
        told.ends_with("\nAll that imdsctl needs is there.\n"),
        "{told}"
    );
    assert!(!told.contains("secret"), "{told}");
    assert!(standin.changing_calls().is_empty());
    let tried = standin.calls_to("ModifyInstanceMetadataOptions");
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
        let standin = two_regions();
        standin.fault(Fault::unauthorised().action(action).region(HERE));
        let ran = doctor(&standin, &[]);
        let told = &ran.ended_with(3).stdout;
        assert!(
            told.contains(&format!("✗ {HERE}: {permission}: ")),
            "{told}"
        );
        assert!(
            told.contains(&format!("  next: allow {permission}\n")),
            "{told}"
        );
        assert!(
            told.contains(&format!("✓ {THERE}: allowed: ec2:Desc")),
            "{told}"
        );
        assert!(told.ends_with("\n1 thing missing.\n"), "{told}");
        assert!(standin.changing_calls().is_empty());
    }
}

#[test]
fn without_an_instance_changing_is_not_tried_and_not_taken_for_allowed() {
    let standin = Standin::start();
    standin.launch(launch(HERE).state("terminated"));
    standin.launch(launch(HERE).endpoint("disabled"));
    standin.launch(launch(HERE).managed_by("eks.amazonaws.com"));
    let ran = doctor(&standin, &["--region", HERE]);
    let told = &ran.ended_with(0).stdout;
    assert!(
        told.contains("! eu-central-1: ec2:ModifyInstanceMetadataOptions: not tried: "),
        "{told}"
    );
    assert!(!told.contains("All that imdsctl needs"), "{told}");
    assert_eq!(standin.count("ModifyInstanceMetadataOptions"), 0);
}

#[test]
fn it_is_tried_where_it_would_change_nothing_if_there_is_such_an_instance() {
    let standin = Standin::start();
    standin.launch(launch(HERE));
    let required = standin.launch(launch(HERE).tokens("required"));
    doctor(&standin, &["--region", HERE]).ended_with(0);
    let tried = standin.calls_to("ModifyInstanceMetadataOptions");
    assert_eq!(tried[0].param("InstanceId"), Some(required.as_str()));
}

#[test]
fn a_dry_run_that_fails_otherwise_tells_nothing() {
    let standin = Standin::start();
    standin.launch(launch(HERE).refuse_modify(1));
    let ran = doctor(&standin, &["--region", HERE]);
    let told = &ran.ended_with(0).stdout;
    assert!(
        told.contains("! eu-central-1: ec2:ModifyInstanceMetadataOptions: not known: "),
        "{told}"
    );
    assert!(told.contains("IncorrectInstanceState"), "{told}");
}

#[test]
fn enforced_tokens_are_told_for_rollback_cannot_work_there() {
    let standin = two_regions();
    standin.enforce_tokens(THERE);
    let ran = doctor(&standin, &[]);
    let told = &ran.ended_with(0).stdout;
    assert!(
        told.contains("! us-east-1: ec2:GetInstanceMetadataDefaults: HttpTokensEnforced is on"),
        "{told}"
    );
    assert_eq!(told.matches("HttpTokensEnforced").count(), 1, "{told}");
}

#[test]
fn a_region_that_is_not_enabled_is_told_from_a_missing_permission() {
    let standin = two_regions();
    standin.opt_out(THERE, "OptInRequired");
    let ran = doctor(&standin, &["--region", "eu-central-1,us-east-1"]);
    let told = &ran.ended_with(3).stdout;
    assert!(
        told.contains("  next: enable the region for the account, or leave it out"),
        "{told}"
    );
}

#[test]
fn expired_credentials_are_told_once() {
    let standin = two_regions();
    standin.fault(Fault::expired());
    let ran = doctor(&standin, &[]);
    let told = &ran.ended_with(3).stdout;
    assert!(told.starts_with("✗ credentials: "), "{told}");
    assert!(
        told.contains("  next: renew them (`aws sso login`"),
        "{told}"
    );
    assert_eq!(told.matches('✗').count(), 1, "{told}");
}

#[test]
fn without_credentials_it_is_wrong_usage() {
    let ran = Imdsctl::offline().arg("doctor").run();
    assert!(
        ran.ended_with(2).stderr.contains("aws configure"),
        "{}",
        ran.stderr
    );
}

#[test]
fn where_the_regions_cannot_be_told_it_looks_at_its_own() {
    let standin = two_regions();
    standin.fault(Fault::unauthorised().action("DescribeRegions"));
    let ran = doctor(&standin, &[]);
    let told = &ran.ended_with(3).stdout;
    assert!(told.contains("✗ regions: "), "{told}");
    assert!(
        told.contains("allow ec2:DescribeRegions, or name the regions with `--region`"),
        "{told}"
    );
    assert!(
        told.contains("✓ us-east-1: allowed: ") && !told.contains(HERE),
        "{told}"
    );
}

#[test]
fn a_folder_that_takes_no_journal_is_told() {
    let standin = two_regions();
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join(".local")).unwrap();
    std::fs::write(home.path().join(".local/state"), "").unwrap();
    let ran = Imdsctl::against(&standin)
        .arg("doctor")
        .home(home.path())
        .run();
    let told = &ran.ended_with(3).stdout;
    assert!(told.contains("✗ journal: cannot be kept in "), "{told}");
    assert!(told.contains("with `--journal`"), "{told}");
}

#[test]
fn as_json_every_check_has_its_verdict() {
    let standin = two_regions();
    standin.fault(Fault::unauthorised().action("GetMetricData").region(HERE));
    standin.enforce_tokens(THERE);
    let ran = doctor(&standin, &["--json"]);
    let told: Value = serde_json::from_str(&ran.ended_with(3).stdout).unwrap();
    assert_eq!(told["fine"], false);
    let checks = told["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 2 + 2 * 4 + 1);
    let of = |region: &str, what: &str| {
        let mut found = checks
            .iter()
            .filter(|c| c["region"] == region && c["what"] == what);
        found.next().unwrap().clone()
    };
    assert_eq!(of(HERE, "cloudwatch:GetMetricData")["verdict"], "wrong");
    assert_eq!(
        of(HERE, "ec2:GetInstanceMetadataDefaults")["verdict"],
        "fine"
    );
    assert_eq!(
        of(THERE, "ec2:GetInstanceMetadataDefaults")["verdict"],
        "note"
    );
}
