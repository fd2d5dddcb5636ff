//! `imdsctl rollback`: what changes after the plan is left as it is.

use imds_tests::{Closed, InjectedFault};

use crate::reading::*;
use crate::rollback::{EnforcedFleet, rollback};

/// Rolls back on a terminal; something happens while the plan is shown.
fn meanwhile(run: &EnforcedFleet, happens: impl FnOnce()) -> Closed {
    let arguments = format!("--journal {}", run.second().display());
    let mut terminal = rollback(&run.ec2, &run.journal(), &arguments).on_terminal(160, 60);
    terminal.wait_for("Type yes");
    happens();
    terminal.type_text("yes\r");
    terminal.wait()
}

#[test]
fn what_changes_while_the_plan_is_shown_is_left_as_it_is() {
    let run = EnforcedFleet::new(&[REGION]);
    let (ids, others) = run.ids.split_at(4);
    let [changed, disabled, terminated, forgotten] = [0, 1, 2, 3].map(|n| &ids[n]);
    let closed = meanwhile(&run, || {
        run.ec2
            .set_options(changed, |options| options.hop_limit = 9);
        run.ec2.set_options(disabled, |options| {
            "disabled".clone_into(&mut options.endpoint)
        });
        run.ec2.set_state(terminated, "terminated");
        run.ec2.forget(forgotten);
    });
    says(
        &closed.ended_with(1).screen,
        &[
            &format!("{changed} skipped: it was changed while the plan was shown"),
            &format!("{disabled} skipped: it was changed while the plan was shown"),
            &format!("{terminated} gone: the instance is terminated"),
            &format!("{forgotten} gone: EC2 no longer knows the instance"),
            "12 restored, 0 unchanged, 2 skipped, 2 gone, 0 failed",
        ],
    );
    run.are_as_before(others);
    let named_in_calls = modified(&run.ec2)
        .into_iter()
        .map(|call| call["InstanceId"].clone());
    assert_eq!(sorted(named_in_calls), sorted(others));
    let lines = lines(&run.second());
    assert_eq!(sorted(named(&lines, "intent")), sorted(others));
    let options = run.ec2.instance(changed).options;
    assert_eq!((&*options.tokens, options.hop_limit), ("required", 9));
}

#[test]
fn a_region_that_becomes_unreachable_after_the_plan_fails_and_the_others_are_rolled_back() {
    let run = EnforcedFleet::new(&["eu-central-1", "us-east-1"]);
    run.ec2.fault(
        InjectedFault::unauthorized()
            .action("DescribeInstances")
            .region("us-east-1")
            .after(1),
    );
    let ran = run.rollback("--yes --json");
    let report = json(ran.ended_with(3));
    let (reachable, unreachable) = run.ids.split_at(16);
    run.are_as_before(reachable);
    for id in unreachable {
        let entry = entry(&report, id);
        assert_eq!(entry["outcome"], "failed");
        let reason = entry["reason"].as_str().unwrap();
        assert!(reason.starts_with("could not be described: "), "{reason}");
        says(reason, &["UnauthorizedOperation"]);
    }
    assert_eq!(report["summary"]["restored"], 16);
    let calls = run.ec2.changing_calls();
    assert!(calls.iter().all(|call| call.region == "eu-central-1"));
}
