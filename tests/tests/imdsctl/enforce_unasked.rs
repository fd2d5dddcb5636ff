//! `imdsctl enforce --yes` where nobody asked whether software uses IMDSv1.

use imds_tests::{FakeAws, launch};

use crate::enforce::{enforced, policy};
use crate::enforce_policy::enforcing;
use crate::reading::*;

#[test]
fn yes_alone_is_refused_where_software_may_fail() {
    let ec2 = FakeAws::start();
    ec2.launch_many(launch(REGION).launched(DAY * 9), 2);
    ec2.launch(launch(REGION).launched(DAY / 2));
    ec2.launch(launch(REGION));
    let ran = imdsctl(&ec2, "enforce --yes --format json").run();
    let words = [
        "3 instances",
        "--unused-only",
        "--policy FILE",
        "--ignore-usage",
    ];
    says(&ran.ended_with(2).stderr, &words);
    assert_eq!(ran.stdout, "");
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn it_is_not_refused_with_a_gate_or_the_flag() {
    for option in ["--ignore-usage", "--unused-only", "--policy"] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION).launched(DAY * 9));
        ran_without_calls(&ec2, &id, DAY * 2, 30);
        let (_place, policy) = policy(enforcing(serde_json::json!({})));
        enforced(&ec2, &option.replace("--policy", &policy), 0);
        assert_eq!(tokens(&ec2, &id), "required", "{option}");
    }
}

#[test]
fn it_is_not_refused_where_no_software_can_fail() {
    let ec2 = FakeAws::start();
    let hops = ec2.launch(launch(REGION).launched(DAY * 9).tokens("required"));
    ec2.launch(launch(REGION).launched(DAY * 9).endpoint("disabled"));
    let new = ec2.launch(launch(REGION));
    enforced(&ec2, "--hop-limit 2", 0);
    assert_eq!(ec2.instance(&hops).options.hop_limit, 2);
    assert_eq!(tokens(&ec2, &new), "required");
}

#[test]
fn a_dry_run_and_a_plan_are_not_refused() {
    let ec2 = FakeAws::start();
    ec2.launch(launch(REGION).launched(DAY * 9));
    imdsctl(&ec2, "enforce --yes --dry-run").run().ended_with(1);
    let place = TestFolder::new();
    let plan = imdsctl(&ec2, "enforce --yes --plan-out").arg(place.path("plan"));
    plan.run().ended_with(1);
}

#[test]
fn the_question_names_the_flag_that_ignores_use() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).launched(DAY * 9));
    let mut terminal = imdsctl(&ec2, "enforce --ignore-usage").on_terminal(120, 30);
    let screen = terminal.wait_for("Type yes");
    says(&screen, &["uses IMDSv1 is ignored (`--ignore-usage`)"]);
    terminal.type_text("yes\r");
    terminal.wait().ended_with(0);
    assert_eq!(tokens(&ec2, &id), "required");
}
