//! The journal on a full disk: no change without its intent.

use std::time::Duration;

use imds_tests::{FakeAws, Imdsctl, Ran, binary, launch};
use serde_json::Value;

use crate::reading::*;

/// Few instances in a region, because the limit applies to other files too.
struct SmallDisk {
    ec2: FakeAws,
    place: TestFolder,
}

impl SmallDisk {
    fn new() -> Self {
        let ec2 = FakeAws::start();
        ec2.set_latency(Duration::from_millis(20));
        for region in [
            "ap-south-1",
            "eu-north-1",
            "eu-west-1",
            "eu-west-2",
            "sa-east-1",
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
        ] {
            ec2.launch_many(launch(region), 6);
        }
        let place = TestFolder::new();
        SmallDisk { ec2, place }
    }

    /// Runs the command with a journal of its own, in a shell whose files hold 8 KiB.
    fn run(&self, arguments: &str) -> Ran {
        let script = format!(
            "trap '' XFSZ; ulimit -f 8; exec {} {arguments} --journal {}",
            binary("imdsctl").display(),
            self.place.path("full").display()
        );
        Imdsctl::with_program("/bin/bash")
            .args(["-c", &script])
            .fake(&self.ec2)
            .run()
    }

    /// Asserts that some of the 54 instances were changed, and none without its intent.
    #[track_caller]
    fn changed_only_what_is_recorded(&self) {
        let text = std::fs::read_to_string(self.place.path("full")).unwrap();
        let whole: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let intended = named(&whole, "intent");
        let changed = modified(&self.ec2)
            .into_iter()
            .map(|call| call["InstanceId"].clone());
        let changed = sorted(changed);
        assert!(
            (1..54).contains(&changed.len()),
            "{} were changed",
            changed.len()
        );
        assert!(
            changed.iter().all(|id| intended.contains(id)),
            "a change without its intent"
        );
    }
}

#[test]
fn no_further_change_is_made_once_the_disk_is_full() {
    let disk = SmallDisk::new();
    disk.run("enforce --yes --no-wait").ended_with(3);
    disk.changed_only_what_is_recorded();
}

#[test]
fn nothing_more_is_rolled_back_once_the_disk_is_full() {
    let disk = SmallDisk::new();
    let journal = disk.place.path("journal");
    imdsctl(&disk.ec2, "enforce --yes --no-wait --journal")
        .arg(&journal)
        .run()
        .ended_with(0);
    disk.ec2.forget_calls();
    let ran = disk.run(&format!("rollback --yes {}", journal.display()));
    says(
        &ran.ended_with(3).stdout,
        &["failed: not restored: no call was made, because the journal could not be written: "],
    );
    disk.changed_only_what_is_recorded();
}
