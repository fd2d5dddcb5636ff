//! What holds something that existed before its launch is enforced at most.

use imds_core::decide::{Because, BecauseWord, Instead};
use imds_core::instance::Instance;
use imds_core::policy::Action;
use imds_core::restored::Restored;

use crate::{ago, done, launch, launched, non_compliant, open, tagged, tokens_and_hops, with};

const BY_TAG: &[(&str, &str, Restored)] = &[
    (
        "AWSElasticDisasterRecoverySourceServerID",
        "s-1",
        Restored::DisasterRecovery,
    ),
    (
        "AWSElasticDisasterRecoveryManaged",
        "drs.amazonaws.com",
        Restored::DisasterRecovery,
    ),
    (
        "AWSApplicationMigrationServiceSourceServerID",
        "s-1",
        Restored::Migration,
    ),
    (
        "AWSApplicationMigrationServiceManaged",
        "mgn.amazonaws.com",
        Restored::Migration,
    ),
    ("CreatedBy", "EC2 Image Builder", Restored::ImageBuilder),
    ("Ec2ImageBuilderArn", "arn:x", Restored::ImageBuilder),
    ("Name", "Packer Builder", Restored::Packer),
];

#[track_caller]
fn restored(instance: &Instance, restored: Restored) {
    for (required, of) in [("stop", Action::Stop), ("terminate", Action::Terminate)] {
        let decided = non_compliant(launch(&tokens_and_hops(required, ""), instance));
        let because = Because::Restored(restored);
        let expected = Instead { of, because };
        assert_eq!(done(&decided), (Action::Enforce, Some(&expected)));
    }
}

#[track_caller]
fn not_restored(instance: &Instance) {
    let decided = non_compliant(launch(&tokens_and_hops("terminate", ""), instance));
    assert_eq!(done(&decided), (Action::Terminate, None), "{decided}");
}

#[test]
fn tags_say_what_an_instance_was_restored_from() {
    for (key, value, by) in BY_TAG {
        restored(&tagged(key, value), *by);
    }
}

#[test]
fn other_values_of_common_tags_say_nothing() {
    for (key, value) in [
        ("CreatedBy", "me"),
        ("Name", "Packer"),
        ("Name", "my Packer Builder"),
        ("Restored", "yes"),
        ("backup", "daily"),
        ("aws-backup", "daily"),
    ] {
        not_restored(&tagged(key, value));
    }
}

#[test]
fn the_services_that_restore_are_named_as_such() {
    for (service, by) in [
        ("backup.amazonaws.com", Restored::Backup),
        ("drs.amazonaws.com", Restored::DisasterRecovery),
        ("mgn.amazonaws.com", Restored::Migration),
        ("imagebuilder.amazonaws.com", Restored::ImageBuilder),
    ] {
        restored(&with(|i| i.principals = vec![service.to_owned()]), by);
    }
    for key in ["aws:backup:source-resource", "aws:backup:resource-arn"] {
        restored(&tagged(key, "arn:x"), Restored::Backup);
    }
}

/// A new instance with volumes attached so many seconds after its primary interface.
fn with_volumes(seconds_after: &[i64]) -> Instance {
    let mut instance = launched(300);
    for seconds in seconds_after {
        instance.attachments.add_volume(ago(300 - seconds));
    }
    instance
}

#[test]
fn a_volume_that_the_launch_did_not_create_makes_an_instance_restored() {
    for seconds_after in [121, 200, 290, 500] {
        restored(&with_volumes(&[seconds_after]), Restored::AttachedVolume);
        restored(
            &with_volumes(&[0, seconds_after, 1]),
            Restored::AttachedVolume,
        );
    }
}

#[test]
fn volumes_of_the_launch_may_be_attached_within_two_minutes_of_the_interface() {
    for seconds_after in [-60, 0, 1, 60, 120] {
        not_restored(&with_volumes(&[seconds_after]));
    }
    not_restored(&with_volumes(&[0, 1, 120]));
}

#[test]
fn an_interface_that_is_attached_later_restores_nothing() {
    let mut instance = launched(300);
    instance.attachments.add_interface(1, ago(5));
    not_restored(&instance);
}

#[test]
fn without_the_primary_interface_the_age_is_unknown_and_that_counts() {
    let instance = with(|i| {
        i.attachments = imds_core::age::Attachments::default();
        i.attachments.add_volume(ago(10));
    });
    let (action, because, _) = crate::outcome(
        "terminate",
        &instance,
        crate::launch_event(),
        &imds_core::decide::Evidence::Usage(crate::unused()),
    );
    assert_eq!(
        (action, because),
        (Action::Enforce, Some(BecauseWord::AgeUnknown))
    );
}

#[test]
fn no_rule_disrupts_what_was_restored() {
    let rule = r#"{"name": "a", "when": {"regions": "*"}, "action": "terminate", "even_if_replaced": true}"#;
    let policy = tokens_and_hops("enforce", rule);
    let open = non_compliant(launch(&policy, &open()));
    assert_eq!(done(&open), (Action::Terminate, None));
    for instance in [
        tagged("aws:backup:source-resource", "arn:x"),
        tagged("Name", "Packer Builder"),
        with(|i| i.principals = vec!["drs.amazonaws.com".to_owned()]),
        with_volumes(&[290]),
    ] {
        let decided = non_compliant(launch(&policy, &instance));
        let because = decided.instead.as_ref().map(|it| it.because.word());
        assert_eq!(decided.action, Action::Enforce);
        assert_eq!(because, Some(BecauseWord::Restored));
    }
}

#[test]
fn what_was_restored_is_enforced_like_any_other() {
    for (required, action) in [("enforce", Action::Enforce), ("report", Action::Report)] {
        let instance = tagged("Name", "Packer Builder");
        let decided = non_compliant(launch(&tokens_and_hops(required, ""), &instance));
        assert_eq!(done(&decided), (action, None));
    }
}
