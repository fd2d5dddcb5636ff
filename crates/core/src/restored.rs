//! Instances that hold something that existed before their launch.

use std::fmt;

use jiff::SignedDuration;

use crate::instance::Instance;

/// How long after the primary network interface the volumes of a launch are attached.
const LAUNCH_ATTACHES_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// What an instance was restored from, or is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// A recovery point of AWS Backup.
    Backup,
    /// AWS Elastic Disaster Recovery.
    DisasterRecovery,
    /// AWS Application Migration Service.
    Migration,
    /// EC2 Image Builder builds an image from it.
    ImageBuilder,
    /// Packer builds an image from it.
    Packer,
    /// A volume was attached after the launch, so the launch did not create it.
    AttachedVolume,
}

impl Restored {
    /// By tags, by the service that launched it, and by its volumes. Anybody may write the tags, so they
    /// only ever make milder what is done.
    pub fn find(instance: &Instance) -> Option<Self> {
        let has_key = |prefix: &str| instance.tags.keys().any(|key| key.starts_with(prefix));
        let has = |key: &str, value: &str| instance.tags.get(key).is_some_and(|it| it == value);
        let by = |service: &str| instance.principals.iter().any(|it| it == service);
        let found = [
            (
                has_key("aws:backup:") || by("backup.amazonaws.com"),
                Restored::Backup,
            ),
            (
                has_key("AWSElasticDisasterRecovery") || by("drs.amazonaws.com"),
                Restored::DisasterRecovery,
            ),
            (
                has_key("AWSApplicationMigrationService") || by("mgn.amazonaws.com"),
                Restored::Migration,
            ),
            (
                has_key("Ec2ImageBuilder")
                    || has("CreatedBy", "EC2 Image Builder")
                    || by("imagebuilder.amazonaws.com"),
                Restored::ImageBuilder,
            ),
            (has("Name", "Packer Builder"), Restored::Packer),
            (has_attached_volume(instance), Restored::AttachedVolume),
        ];
        let mut found = found.into_iter().filter(|(holds, _)| *holds);
        found.next().map(|(_, restored)| restored)
    }
}

fn has_attached_volume(instance: &Instance) -> bool {
    let attachments = &instance.attachments;
    match (attachments.latest_volume, attachments.primary_interface) {
        (Some(volume), Some(interface)) => {
            volume.duration_since(interface) > LAUNCH_ATTACHES_WITHIN
        }
        _ => false,
    }
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Restored::Backup => "AWS Backup restored it",
            Restored::DisasterRecovery => "AWS Elastic Disaster Recovery restored it",
            Restored::Migration => "AWS Application Migration Service launched it",
            Restored::ImageBuilder => "EC2 Image Builder builds an image from it",
            Restored::Packer => "Packer builds an image from it",
            Restored::AttachedVolume => "it has a volume that its launch did not create",
        })
    }
}
