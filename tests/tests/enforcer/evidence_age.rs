//! The age of an instance decides what may be done to it, whatever the event says.

use imds_tests::{FakeAws, LaunchBuilder, launch};
use serde_json::{Value, json};

use crate::support::*;

const YEAR: u64 = 365 * DAY;

/// The events that may name an instance, with a launch event of now among them.
fn events(ec2: &FakeAws, id: &str) -> [Value; 5] {
    [
        launched_one(ec2, id),
        state_changed(id, "running"),
        started(&[id]),
        modified(id, "mallory", &json!({ "HttpTokens": "optional" })),
        sweep(&[REGION]),
    ]
}

/// Under a policy that stops and one that terminates, an instance is enforced at most, whichever event
/// names it.
#[track_caller]
fn is_never_disrupted(what: &str, launch: &LaunchBuilder) {
    for on_violation in ["stop", "terminate"] {
        for event in 0..5 {
            let ec2 = FakeAws::start();
            let id = ec2.launch(launch.clone());
            unused(&ec2, &id);
            let event = events(&ec2, &id)[event].clone();
            let function = function(&ec2, &without_grace(on_violation));
            let run = function.invoke_with_timeout(&event, seconds(3));
            assert_eq!(ec2.disruptions(), [], "{what}: {event}");
            match &run.result {
                Ok(report) => {
                    let [outcome, instead_of, _] = done(report, &id);
                    let expected = ("enforced", on_violation);
                    assert_eq!((outcome, instead_of), expected, "{what}: {event}");
                }
                // A launch is looked at again until its interface is shown.
                Err(error) => assert!(error.error_message.contains("network interface"), "{error}"),
            }
        }
    }
}

#[test]
fn a_server_that_was_stopped_for_a_year_is_not_disrupted_when_its_state_changes() {
    for (on_violation, state) in [
        ("terminate", "running"),
        ("terminate", "pending"),
        ("stop", "running"),
    ] {
        let ec2 = FakeAws::start();
        let old = launch(REGION).launched(seconds(YEAR)).started(seconds(1));
        let id = ec2.launch(old.state(state));
        let run = function(&ec2, &without_grace(on_violation)).invoke(&state_changed(&id, state));
        assert_eq!(ec2.disruptions(), []);
        assert_eq!(ec2.instance(&id).state, state);
        assert_eq!(
            done(report(&run), &id),
            ["reported", on_violation, "usage_unknown"]
        );
        let first = ec2.instance(&id).first_launched.as_second();
        let reported = &entry(report(&run), &id)["first_launched_at"];
        let reported: jiff::Timestamp = reported.as_str().unwrap().parse().unwrap();
        assert_eq!(reported.as_second(), first);
    }
}

#[test]
fn a_launch_event_of_30_days_ago_does_nothing_to_an_instance_that_uses_imdsv1() {
    for on_violation in ["terminate", "stop", "enforce"] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION).launched(seconds(30 * DAY)));
        in_use(&ec2, &id);
        let event = happened(launched_one(&ec2, &id), ago(30 * DAY));
        let run = function(&ec2, &without_grace(on_violation)).invoke(&event);
        assert_eq!(
            done(report(&run), &id),
            ["reported", on_violation, "in_use"]
        );
        assert_eq!(entry(report(&run), &id)["usage"]["calls"], 5000);
        assert_eq!(ec2.changing_calls().len(), 0);
    }
}

#[test]
fn a_made_up_launch_event_makes_an_old_instance_no_newer() {
    for on_violation in ["terminate", "stop"] {
        let ec2 = FakeAws::start();
        let old = || launch(REGION).launched(seconds(YEAR)).started(seconds(5));
        let [quiet, busy, no_data] = [(); 3].map(|()| ec2.launch(old()));
        unused(&ec2, &quiet);
        in_use(&ec2, &busy);
        let ids = [quiet.clone(), busy.clone(), no_data.clone()];
        let mut event = launched_ids(&ec2, &ids);
        for item in 0..3 {
            event["detail"]["responseElements"]["instancesSet"]["items"][item]["launchTime"] =
                json!(ago(2).as_millisecond());
        }
        let run = function(&ec2, &without_grace(on_violation)).invoke(&event);
        assert_eq!(ec2.disruptions(), []);
        for (id, expected) in [
            (&quiet, ["enforced", on_violation, "not_new"]),
            (&busy, ["reported", on_violation, "in_use"]),
            (&no_data, ["reported", on_violation, "usage_unknown"]),
        ] {
            assert_eq!(done(report(&run), id), expected);
        }
    }
}

#[test]
fn an_instance_that_is_new_is_disrupted_whichever_event_names_it() {
    for (on_violation, expected) in [("stop", "stopped"), ("terminate", "terminated")] {
        // Drift is enforced at most.
        for event in [0, 1, 2, 4] {
            let ec2 = FakeAws::start();
            let id = ec2.launch(launch(REGION));
            let event = events(&ec2, &id)[event].clone();
            let run = function(&ec2, &without_grace(on_violation)).invoke(&event);
            assert_eq!(done(report(&run), &id), [expected, "", ""], "{event}");
            assert_eq!(oldest_disrupted(&ec2), Some(0));
        }
    }
}

#[test]
fn an_old_instance_is_not_disrupted() {
    let old = launch(REGION).launched(seconds(YEAR));
    is_never_disrupted("old", &old);
    is_never_disrupted("started", &old.started(seconds(1)));
    let recent = launch(REGION).launched(seconds(16 * MINUTE));
    is_never_disrupted("recent", &recent);
}

#[test]
fn an_instance_without_an_interface_is_not_disrupted() {
    is_never_disrupted("new", &launch(REGION).no_interface());
    let old = launch(REGION).launched(seconds(YEAR)).started(seconds(1));
    is_never_disrupted("old", &old.clone().no_interface());
    is_never_disrupted("without a volume", &old.no_interface().no_volumes());
}

#[test]
fn an_old_instance_without_a_volume_is_not_disrupted() {
    let old = launch(REGION).launched(seconds(YEAR)).started(seconds(1));
    is_never_disrupted("old", &old.no_volumes());
}

#[test]
fn an_instance_whose_interface_has_no_time_is_not_disrupted() {
    is_never_disrupted("new", &launch(REGION).no_interface_time());
    let old = launch(REGION).launched(seconds(YEAR)).started(seconds(1));
    is_never_disrupted("old", &old.no_interface_time());
}

#[test]
fn the_interface_0_of_another_network_card_is_not_the_primary_one() {
    for (card, expected) in [
        (0, ["terminated", "", ""]),
        (1, ["enforced", "terminate", "age_unknown"]),
    ] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION));
        unused(&ec2, &id);
        let of_card = |card| format!("<networkCardIndex>{card}</networkCardIndex>");
        ec2.garble(&id, &of_card(0), &of_card(card));
        let run = function(&ec2, &without_grace("terminate")).invoke(&started(&[&id]));
        assert_eq!(done(report(&run), &id), expected);
    }
}

#[test]
fn an_instance_with_a_time_in_the_future_is_not_disrupted() {
    let future = ahead(10 * MINUTE);
    let new = || launch(REGION);
    is_never_disrupted("interface", &new().interface_attached_at(future));
    is_never_disrupted("second interface", &new().second_interface_at(future));
    is_never_disrupted("volume", &new().root_volume_attached_at(future));
    is_never_disrupted("start", &new().started_at(future));
}

#[test]
fn an_old_volume_makes_an_instance_old_and_a_new_one_makes_none_new() {
    let old_volume = launch(REGION).second_volume_at(ago(40 * DAY));
    is_never_disrupted("old volume", &old_volume);
    let old_interface = launch(REGION).second_interface_at(ago(40 * DAY));
    is_never_disrupted("old interface", &old_interface);
    let old = || launch(REGION).launched(seconds(YEAR)).started(seconds(1));
    is_never_disrupted("new volume", &old().second_volume_at(ago(5)));
    is_never_disrupted("new root volume", &old().root_volume_attached_at(ago(5)));
    is_never_disrupted("new interface", &old().second_interface_at(ago(5)));
}
