//! `imdsctl rollback`: it waits until EC2 describes and has applied what it answered.

use imds_tests::Settle;

use crate::reading::*;
use crate::rollback::EnforcedFleet;

#[test]
fn it_waits_until_the_options_are_applied() {
    let run = EnforcedFleet::new(&[REGION]);
    run.ec2.set_applied(Settle::Describes(3));
    let report = json(run.rollback("--yes --json").ended_with(0));
    for id in &run.ids {
        assert_eq!(entry(&report, id)["reason"], "as before");
        assert_eq!(run.ec2.instance(id).options.state, "applied");
    }
    // For the plan, before the calls, and until they are applied.
    assert_eq!(run.ec2.count("DescribeInstances"), 2 + 4);
}

#[test]
fn it_does_not_wait_for_a_stopped_instance() {
    let run = EnforcedFleet::new(&[REGION]);
    for id in &run.ids {
        run.ec2.set_state(id, "stopped");
    }
    run.ec2.set_applied(Settle::Never);
    let report = json(run.rollback("--yes --json").ended_with(0));
    for id in &run.ids {
        assert_eq!(entry(&report, id)["reason"], "as before");
    }
    assert_eq!(run.ec2.count("DescribeInstances"), 3);
}

/// It takes half a minute, the time that EC2 is given.
#[test]
fn options_that_do_not_become_visible_are_a_failure_and_those_not_applied_are_reported() {
    let run = EnforcedFleet::new(&[REGION]);
    let (discarded, others) = run.ids.split_first().unwrap();
    run.ec2.discard_changes(discarded);
    run.ec2.set_applied(Settle::Never);
    let report = json(run.rollback("--yes --json").ended_with(3));
    let failed = entry(&report, discarded);
    assert_eq!(
        (&failed["outcome"], &failed["reason"]),
        (
            &"failed".into(),
            &"EC2 answered http_tokens=optional hop_limit=1, and describes http_tokens=required hop_limit=2".into()
        )
    );
    assert_eq!(failed["after"]["http_tokens"], "optional");
    for id in others {
        let entry = entry(&report, id);
        assert_eq!(
            (&entry["outcome"], &entry["reason"]),
            (
                &"restored".into(),
                &"as before; EC2 has not applied it yet".into()
            )
        );
    }
}
