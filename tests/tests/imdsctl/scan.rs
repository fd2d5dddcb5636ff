//! `imdsctl scan`: everything is seen or named, with the fewest calls, and nothing is changed.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use imds_tests::{Fault, Imdsctl, Standin, binary, launch, template_data};
use serde_json::{Value, json};

use crate::reading::*;

const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];

/// A wrong instance in each of three regions, the only ones of the account.
fn three() -> (Standin, [String; 3]) {
    let ec2 = Standin::start();
    ec2.set_regions(&REGIONS);
    let ids = REGIONS.map(|region| ec2.launch(launch(region)));
    (ec2, ids)
}

#[test]
fn all_regions_are_seen_side_by_side() {
    let ec2 = Standin::start();
    ec2.set_latency(Duration::from_millis(700));
    let ids = ["ap-south-1", "eu-north-1", "us-west-2"].map(|region| ec2.launch(launch(region)));
    let report = scanned(&ec2, "", 1);
    assert_eq!(super::reading::ids(&report), sorted(ids));
    assert_eq!(list(&report, "regions").len(), 17);
    let at_once = ec2.max_in_flight();
    assert!(at_once > 10, "at most {at_once} calls at once");
}

#[test]
fn one_region_after_another_is_one_call_after_another() {
    let (ec2, _) = three();
    ec2.set_latency(Duration::from_millis(30));
    let regions = REGIONS.join(",");
    scanned(&ec2, &format!("--sequential --region {regions}"), 1);
    // Whose credentials these are is asked before.
    assert_eq!(ec2.max_in_flight(), 1);
    assert_eq!(ec2.count("DescribeInstances"), 3);
}

#[test]
fn no_more_regions_are_read_at_once_than_asked_for() {
    let ec2 = Standin::start();
    ec2.set_latency(Duration::from_millis(150));
    scanned(&ec2, "--concurrency 3", 0);
    let at_once = ec2.max_in_flight();
    assert!((2..=3).contains(&at_once), "{at_once} calls at once");
}

#[test]
fn a_scan_makes_one_call_for_each_page_and_two_besides_and_changes_nothing() {
    let (ec2, _) = three();
    ec2.launch_many(launch(REGION), 4);
    ec2.set_page_size(2);
    let report = scanned(&ec2, "", 1);
    assert_eq!(list(&report, "instances").len(), 7);
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for call in ec2.calls() {
        *counts.entry((call.action, call.region)).or_default() += 1;
    }
    let expected = [
        ("DescribeInstances", "eu-central-1", 3),
        ("DescribeInstances", "eu-west-1", 1),
        ("DescribeInstances", "us-east-1", 1),
        ("DescribeRegions", "us-east-1", 1),
        ("GetCallerIdentity", "us-east-1", 1),
    ];
    let expected = expected
        .map(|(action, region, count)| ((action.to_owned(), region.to_owned()), count))
        .into();
    assert_eq!(counts, expected);
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn everything_that_can_be_asked_for_together_changes_nothing() {
    let ec2 = Standin::start();
    ec2.launch_fleet(120);
    scanned(&ec2, "--templates --defaults --usage --user-data", 1);
    let changing = ec2.changing_calls();
    assert!(changing.is_empty(), "{changing:?}");
}

#[test]
fn only_the_named_regions_are_asked() {
    let (ec2, [frankfurt, dublin, _]) = three();
    let report = scanned(&ec2, "--region eu-west-1 --region eu-central-1", 1);
    assert_eq!(ids(&report), sorted([frankfurt, dublin]));
    assert_eq!(ec2.count("DescribeRegions"), 0);
    assert!(ec2.calls().iter().all(|call| call.region != "us-east-1"));
}

#[test]
fn an_excluded_region_is_not_asked() {
    let (ec2, [_, _, virginia]) = three();
    let report = scanned(&ec2, "--exclude-region eu-west-1,eu-central-1", 1);
    assert_eq!(ids(&report), [virginia]);
    let asked = ec2.calls_to("DescribeInstances");
    assert!(asked.iter().all(|call| call.region == "us-east-1"));
}

#[test]
fn no_region_left_is_a_wrong_use() {
    let (ec2, _) = three();
    let all = format!("--exclude-region {}", REGIONS.join(","));
    for regions in [&all, "--region eu-west-1 --exclude-region eu-west-1"] {
        let ran = imdsctl(&ec2, &format!("scan {regions}")).run();
        says(
            &ran.ended_with(2).stderr,
            &["no region is left", "--exclude-region"],
        );
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(ec2.count("DescribeInstances"), 0);
}

#[test]
fn an_opted_out_region_is_not_asked_unless_it_is_named() {
    for code in ["AuthFailure", "OptInRequired"] {
        let (ec2, _) = three();
        ec2.opt_out("me-south-1", code);
        let report = scanned(&ec2, "", 1);
        assert_eq!(list(&report, "unseen"), &[] as &[Value]);
        assert!(ec2.calls().iter().all(|call| call.region != "me-south-1"));
        let report = scanned(&ec2, "--region me-south-1,eu-west-1", 3);
        let unseen = list(&report, "unseen");
        assert_eq!(unseen.len(), 1);
        assert_eq!(unseen[0]["region"], "me-south-1");
        says(unseen[0]["error"].as_str().unwrap(), &[code]);
        assert_eq!(list(&report, "instances").len(), 1, "the other is seen");
    }
}

#[test]
fn a_region_that_refuses_is_named_and_the_others_are_seen() {
    let (ec2, [frankfurt, _, virginia]) = three();
    ec2.fault(
        Fault::unauthorised()
            .action("DescribeInstances")
            .region("eu-west-1"),
    );
    let report = scanned(&ec2, "", 3);
    assert_eq!(ids(&report), sorted([frankfurt, virginia]));
    let unseen = list(&report, "unseen");
    assert_eq!(
        (unseen.len(), &unseen[0]["region"]),
        (1, &json!("eu-west-1"))
    );
    says(
        unseen[0]["error"].as_str().unwrap(),
        &["DescribeInstances", "UnauthorizedOperation"],
    );
    let table = imdsctl(&ec2, "scan").run();
    says(
        &table.ended_with(3).stdout,
        &["Not seen\neu-west-1: ", "UnauthorizedOperation", "1 error"],
    );
}

#[test]
fn a_region_that_breaks_off_after_a_page_shows_what_was_seen_and_says_so() {
    let ec2 = Standin::start();
    ec2.launch_many(launch(REGION).tokens("required"), 10);
    ec2.set_page_size(5);
    ec2.fault(Fault::unauthorised().action("DescribeInstances").after(1));
    let report = scanned(&ec2, "--region eu-central-1", 3);
    assert_eq!(list(&report, "instances").len(), 5);
    assert_eq!(list(&report, "unseen").len(), 1);
}

#[test]
fn what_is_throttled_or_fails_in_passing_is_asked_again() {
    for fault in [Fault::throttle(), Fault::unavailable(), Fault::reset()] {
        let (ec2, all) = three();
        ec2.fault(fault.action("DescribeInstances").times(2));
        let report = scanned(&ec2, "", 1);
        assert_eq!(ids(&report), sorted(all));
        assert_eq!(ec2.count("DescribeInstances"), 5);
    }
}

#[test]
fn all_is_well_with_no_instance_and_with_compliant_ones() {
    let ec2 = Standin::start();
    let report = scanned(&ec2, "", 0);
    assert_eq!(list(&report, "instances"), &[] as &[Value]);
    ec2.launch(launch(REGION).tokens("required"));
    ec2.launch(launch(REGION).endpoint("disabled"));
    ec2.launch(launch(REGION).state("terminated"));
    let report = scanned(&ec2, "", 0);
    assert_eq!(
        (&report["summary"]["compliant"], &report["summary"]["gone"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn every_instance_is_shown_whatever_its_state() {
    let ec2 = Standin::start();
    let states = [
        "pending",
        "running",
        "stopping",
        "stopped",
        "shutting-down",
        "terminated",
    ];
    let all = states.map(|state| (ec2.launch(launch(REGION).state(state)), state));
    let report = scanned(&ec2, "", 1);
    for (id, state) in &all {
        assert_eq!(of(&report, id)["state"], **state);
    }
    assert_eq!(
        (&report["summary"]["reported"], &report["summary"]["gone"]),
        (&json!(4), &json!(2))
    );
    let report = scanned(&ec2, "--state stopped,running --state pending", 1);
    assert_eq!(ids(&report), sorted([0, 1, 3].map(|n| all[n].0.clone())));
    let report = scanned(&ec2, "--state terminated", 0);
    assert_eq!(ids(&report), [all[5].0.clone()]);
}

#[test]
fn an_instance_is_found_in_any_region_by_its_id() {
    let (ec2, [frankfurt, _, virginia]) = three();
    let report = scanned(&ec2, &format!("--instance {virginia},{frankfurt}"), 1);
    assert_eq!(ids(&report), sorted([frankfurt, virginia]));
    assert_eq!(ec2.count("DescribeInstances"), 3);
}

#[test]
fn an_instance_that_is_nowhere_is_named_and_is_a_failure() {
    let (ec2, [frankfurt, ..]) = three();
    let nowhere = "i-0123456789abcdef0";
    let report = scanned(
        &ec2,
        &format!("--instance {frankfurt} --instance {nowhere}"),
        3,
    );
    assert_eq!(ids(&report), [frankfurt]);
    says(&report["unseen"].to_string(), &[nowhere]);
    assert_eq!(list(&report, "unseen").len(), 1);
}

#[test]
fn more_ids_than_a_filter_takes_are_asked_in_several_calls() {
    let ec2 = Standin::start();
    let all = ec2.launch_many(launch(REGION), 250);
    let report = scanned(
        &ec2,
        &format!("--region {REGION} --instance {}", all.join(",")),
        1,
    );
    assert_eq!(list(&report, "instances").len(), 250);
    assert_eq!(ec2.count("DescribeInstances"), 2);
}

#[test]
fn tags_of_two_keys_must_both_fit_and_of_one_key_either() {
    let ec2 = Standin::start();
    let of =
        |app: &str, stage: &str| ec2.launch(launch(REGION).tag("app", app).tag("stage", stage));
    let (web_prod, web_dev) = (of("web-1", "prod"), of("web-2", "dev"));
    let (api_prod, _) = (of("api", "prod"), of("db", "prod"));
    let found = |tags: &str| ids(&scanned(&ec2, tags, 1));
    assert_eq!(
        found("--tag app=web-* --tag stage=prod"),
        [web_prod.as_str()]
    );
    assert_eq!(
        found("--tag app=web-2 --tag app=api"),
        sorted([&web_dev, &api_prod])
    );
    assert_eq!(found("--tag app=web-?"), sorted([&web_prod, &web_dev]));
    assert_eq!(
        found("--tag app=web-* --tag app=api --tag stage=prod"),
        sorted([&web_prod, &api_prod])
    );
    let report = scanned(&ec2, "--tag app=none", 0);
    assert_eq!(ids(&report), [""; 0]);
}

#[test]
fn violations_alone_are_shown_and_all_are_counted() {
    let ec2 = Standin::start();
    let wrong = ec2.launch(launch(REGION));
    ec2.launch(launch(REGION).tokens("required"));
    ec2.launch(launch(REGION).state("terminated"));
    let report = scanned(&ec2, "--only violations", 1);
    assert_eq!(ids(&report), [wrong]);
    assert_eq!(
        report["summary"],
        json!({ "compliant": 1, "exempt": 0, "reported": 1, "enforced": 0, "stopped": 0,
                "terminated": 0, "spared": 0, "gone": 1, "failed": 0 })
    );
}

#[test]
fn usage_is_in_use_unused_or_unknown_and_no_datapoint_is_never_unused() {
    let ec2 = Standin::start();
    let old = || launch(REGION).launched(DAY * 100);
    let [used, unused, silent, stopped, right] = [
        old(),
        old(),
        old(),
        old().state("stopped"),
        old().tokens("required"),
    ]
    .map(|launch| ec2.launch(launch));
    let young = ec2.launch(launch(REGION).launched(DAY));
    for id in [&unused, &stopped, &young] {
        ec2.datapoint(id, "MetadataNoToken", ago(DAY / 2), 0.0);
    }
    ec2.datapoint(&used, "MetadataNoToken", ago(DAY * 3), 5.0);
    ec2.datapoint(&used, "MetadataNoToken", ago(DAY * 9), 7.0);
    let report = scanned(&ec2, "--usage", 1);
    let usage = |id: &str| of(&report, id)["usage"].clone();
    assert_eq!(usage(&used)["verdict"], "in_use");
    assert_eq!(usage(&used)["calls"], 12);
    let last: jiff::Timestamp = usage(&used)["last_at"].as_str().unwrap().parse().unwrap();
    let late = last.duration_since(ago(DAY * 3)).abs();
    // Where the period begins: of two hours, for 200 of them to cover 14 days.
    assert!(late <= jiff::SignedDuration::from_hours(2), "{last}");
    assert_eq!(usage(&unused)["verdict"], "unused");
    for (id, because) in [
        (&silent, "no_data"),
        (&stopped, "stopped"),
        (&young, "started_in_window"),
    ] {
        assert_eq!(
            usage(id),
            json!({ "verdict": "unknown", "because": because })
        );
    }
    assert_eq!(usage(&right), Value::Null);
    let asked = ec2.calls_to("GetMetricData");
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].params.values().all(|value| *value != right),
        "where tokens are required nobody need be asked"
    );
}

#[test]
fn usage_is_asked_over_as_many_days_as_wished() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).launched(DAY * 100));
    ec2.datapoint(&id, "MetadataNoToken", ago(DAY * 20), 3.0);
    ec2.datapoint(&id, "MetadataNoToken", ago(DAY), 0.0);
    let verdict = |usage: &str| {
        let report = scanned(&ec2, usage, 1);
        of(&report, &id)["usage"]["verdict"].clone()
    };
    assert_eq!(verdict("--usage"), "unused");
    assert_eq!(verdict("--usage 30"), "in_use");
}

#[test]
fn usage_that_cannot_be_read_is_unknown_and_says_why() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).launched(DAY * 100));
    ec2.fault(Fault::error("AccessDenied", 403).action("GetMetricData"));
    let report = scanned(&ec2, "--usage", 1);
    let usage = &of(&report, &id)["usage"];
    assert_eq!(usage["verdict"], "unknown");
    says(
        &usage["because"]["unreadable"].to_string(),
        &["AccessDenied"],
    );
}

#[test]
fn the_defaults_of_the_account_are_shown_by_region() {
    let (ec2, _) = three();
    ec2.enforce_tokens("eu-west-1");
    ec2.set_defaults(
        REGION,
        imds_tests::Defaults {
            tokens: Some("required".to_owned()),
            hop_limit: Some(2),
            ..Default::default()
        },
    );
    let report = scanned(&ec2, "--defaults", 1);
    let defaults = list(&report, "defaults");
    let of = |region: &str| defaults.iter().find(|row| row["region"] == region).unwrap();
    assert_eq!(defaults.len(), 3);
    assert_eq!(
        (&of(REGION)["http_tokens"], &of(REGION)["hop_limit"]),
        (&json!("required"), &json!(2))
    );
    assert_eq!(of("eu-west-1")["http_tokens_enforced"], "enabled");
    assert_eq!(of("us-east-1")["http_tokens"], Value::Null);
    assert_eq!(ec2.count("GetInstanceMetadataDefaults"), 3);
    assert_eq!(ec2.count("DescribeLaunchTemplates"), 0);
    assert!(scanned(&ec2, "", 1).get("defaults").is_none());
}

#[test]
fn defaults_that_cannot_be_seen_are_named() {
    let (ec2, _) = three();
    ec2.fault(
        Fault::unauthorised()
            .action("GetInstanceMetadataDefaults")
            .region("eu-west-1"),
    );
    let report = scanned(&ec2, "--defaults", 3);
    assert_eq!(list(&report, "defaults").len(), 2);
    assert_eq!(list(&report, "instances").len(), 3);
    says(
        &report["unseen"].to_string(),
        &["eu-west-1", "GetInstanceMetadataDefaults"],
    );
}

const SCRIPT: &str = "#!/bin/bash\nexport DB_PASSWORD=hunter2\n\
    curl -s http://169.254.169.254/latest/meta-data/instance-id\n";

#[test]
fn user_data_that_calls_without_a_token_is_shown_with_line_and_words_and_nothing_else() {
    let ec2 = Standin::start();
    ec2.set_regions(&[REGION, "us-east-1"]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(SCRIPT.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let plain = ec2.launch(launch(REGION).user_data(SCRIPT));
    let gzip = ec2.launch(launch(REGION).tokens("required").user_data(&packed));
    let clean = ec2.launch(launch(REGION).user_data("#!/bin/sh\necho hello\n"));
    let none = ec2.launch(launch(REGION));
    let gone = ec2.launch(launch(REGION).user_data(SCRIPT).state("terminated"));
    let template = ec2.template(REGION, "web");
    ec2.template_version(
        &template,
        template_data().tokens("required").user_data(&packed),
    );

    let ran = imdsctl(&ec2, "scan --user-data --templates --format json").run();
    let report = json(ran.ended_with(1));
    for id in [&plain, &gzip] {
        let found = list(of(&report, id), "user_data");
        assert_eq!(
            (found.len(), &found[0]["line"]),
            (1, &json!(3)),
            "{found:?}"
        );
        says(
            found[0]["words"].as_str().unwrap(),
            &["curl", "169.254.169.254"],
        );
    }
    for id in [&clean, &none, &gone] {
        assert!(of(&report, id).get("user_data").is_none());
    }
    assert_eq!(report["templates"][0]["user_data"][0]["line"], 3);
    let asked = ec2.calls_to("DescribeInstanceAttribute");
    assert_eq!(asked.len(), 4, "an instance that has ended is not asked");
    let table = imdsctl(&ec2, "scan --user-data --templates").run();
    says(
        &table.ended_with(1).stdout,
        &[
            "User data that calls IMDS without a token",
            &plain,
            &gzip,
            &template,
        ],
    );
    for text in [&ran.stdout, &table.stdout] {
        assert!(!text.contains("hunter2"), "the rest is nobody's business");
    }
    scanned(&ec2, "", 1);
    assert_eq!(
        ec2.count("DescribeInstanceAttribute"),
        8,
        "it is not asked unless wished"
    );
}

#[test]
fn user_data_that_cannot_be_read_is_named() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).tokens("required").user_data("#!/bin/sh\n"));
    let cut = ec2.launch(
        launch(REGION)
            .tokens("required")
            .user_data(b"\x1f\x8b\x08cut"),
    );
    ec2.fault(
        Fault::unauthorised()
            .action("DescribeInstanceAttribute")
            .instance(&id),
    );
    let report = scanned(&ec2, "--user-data", 3);
    let unseen = report["unseen"].to_string();
    says(&unseen, &[&id, "UnauthorizedOperation", &cut, "gzip"]);
    assert_eq!(list(&report, "unseen").len(), 2);
}

#[test]
fn a_hop_limit_is_judged_beside_tokens() {
    let ec2 = Standin::start();
    let of = |hops| ec2.launch(launch(REGION).tokens("required").hop_limit(hops));
    let (one, two, three) = (of(1), of(2), of(3));
    let report = scanned(&ec2, "--hop-limit 2", 1);
    for (id, violations) in [
        (one, json!(["hop_limit"])),
        (two, json!([])),
        (three, json!(["hop_limit"])),
    ] {
        assert_eq!(super::reading::of(&report, &id)["violations"], violations);
    }
    scanned(&ec2, "", 0);
}

#[test]
fn a_policy_judges_and_its_rules_are_named() {
    let ec2 = Standin::start();
    let place = Place::new();
    let policy = place.file(
        "policy.json",
        r#"{ "require": { "http_tokens": "required" }, "on_violation": "terminate",
             "rules": [ { "name": "legacy scanner", "when": { "tags": { "app": "scanner-*" } },
                          "then": "exempt", "until": "2127-03-31", "because": "vendor ticket 4711" } ] }"#,
    );
    let wrong = ec2.launch(launch(REGION));
    let exempt = ec2.launch(launch(REGION).tag("app", "scanner-eu"));
    let report = scanned(&ec2, &format!("--policy {}", policy.display()), 1);
    assert_eq!(of(&report, &exempt)["outcome"], "exempt");
    assert_eq!(of(&report, &exempt)["rule"], "legacy scanner");
    says(
        of(&report, &exempt)["reason"].as_str().unwrap(),
        &["vendor ticket 4711", "2127-03-31"],
    );
    assert_eq!(
        of(&report, &wrong)["decision"],
        "enforce",
        "a person's command terminates nothing"
    );
    assert_eq!(report["summary"]["exempt"], 1);
    ec2.set_state(&wrong, "terminated");
    scanned(&ec2, &format!("--policy {}", policy.display()), 0);
}

#[test]
fn a_policy_that_is_missing_or_wrong_is_refused_before_any_call() {
    let ec2 = Standin::start();
    let place = Place::new();
    let missing = place.path("missing.json").display().to_string();
    let ran = imdsctl(&ec2, "scan --policy").arg(&missing).run();
    says(
        &ran.ended_with(2).stderr,
        &["could not read the policy", &missing],
    );
    let wrong = place.file(
        "wrong.json",
        r#"{ "require": { "http_tokens": "sometimes", "hop_limit": { "at_most": 65 } }, "on_violation": "enforce" }"#,
    );
    let ran = imdsctl(&ec2, "scan --policy").arg(&wrong).run();
    says(
        &ran.ended_with(2).stderr,
        &["wrong.json", "http_tokens", "sometimes", "hop_limit", "65"],
    );
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn wrong_arguments_are_refused_with_the_argument_its_value_and_what_was_expected() {
    let ec2 = Standin::start();
    for (arguments, words) in [
        (
            "--region Frankfurt",
            ["--region", "Frankfurt", "eu-central-1"],
        ),
        (
            "--region ../../etc",
            ["--region", "../../etc", "eu-central-1"],
        ),
        (
            "--instance web-1",
            ["--instance", "web-1", "i-0e3a5b1c9d8f70642"],
        ),
        ("--tag app", ["--tag", "app", "KEY=VALUE"]),
        ("--tag =web", ["--tag", "=web", "KEY=VALUE"]),
        ("--state asleep", ["--state", "asleep", "running"]),
        ("--only everything", ["--only", "everything", "violations"]),
        ("--usage 0", ["--usage", "0", "1..=63"]),
        ("--usage 64", ["--usage", "64", "1..=63"]),
        ("--concurrency 0", ["--concurrency", "0", "1..=1000"]),
        ("--hop-limit 65", ["--hop-limit", "65", "1 to 64"]),
        ("--format xml", ["--format", "xml", "csv"]),
        (
            "--endpoint-url localhost",
            ["--endpoint-url", "localhost", "https://"],
        ),
        (
            "--sequential --concurrency 2",
            ["--sequential", "--concurrency", "cannot be used"],
        ),
        (
            "--policy p --hop-limit 2",
            ["--policy", "--hop-limit", "cannot be used"],
        ),
    ] {
        let ran = imdsctl(&ec2, &format!("scan {arguments}")).run();
        says(&ran.ended_with(2).stderr, &words);
        assert_eq!(ran.stdout, "", "{arguments}");
    }
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn the_report_has_the_shape_of_the_functions_answer() {
    let ec2 = Standin::start();
    let template = ec2.template(REGION, "web");
    let launched = launch(REGION)
        .tag("Name", "web-1")
        .from_template(&template, "3")
        .in_group("web");
    let id = ec2.launch(launched.hop_limit(2));
    let report = scanned(&ec2, "", 1);
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    for key in [
        "trigger",
        "account",
        "region",
        "summary",
        "instances",
        "unseen",
    ] {
        assert!(
            keys.contains(&&key.to_owned()),
            "{key} is missing in {keys:?}"
        );
    }
    assert_eq!(report["trigger"], "scan");
    assert_eq!(report["account"], "111122223333");
    assert_eq!(report["region"], Value::Null);
    let instance = of(&report, &id);
    assert_eq!(
        instance["before"],
        json!({ "http_tokens": "optional", "http_endpoint": "enabled", "hop_limit": 2,
                "http_protocol_ipv6": "disabled", "instance_metadata_tags": "disabled" })
    );
    for (field, value) in [
        ("region", json!(REGION)),
        ("outcome", json!("reported")),
        ("rule", Value::Null),
        ("violations", json!(["http_tokens"])),
        ("after", Value::Null),
        ("account", json!("111122223333")),
        ("name", json!("web-1")),
        ("state", json!("running")),
        ("decision", json!("enforce")),
        ("auto_scaling_group", json!("web")),
        ("launch_template", json!({ "id": template, "version": "3" })),
    ] {
        assert_eq!(instance[field], value, "{field}");
    }
    says(
        instance["reason"].as_str().unwrap(),
        &["http_tokens is optional, not required"],
    );
}

#[test]
fn an_account_that_cannot_be_named_does_not_keep_the_fleet_from_being_seen() {
    let (ec2, all) = three();
    ec2.fault(Fault::error("AccessDenied", 403).action("GetCallerIdentity"));
    let ran = imdsctl(&ec2, "scan --format json").run();
    let report = json(ran.ended_with(1));
    assert_eq!(report["account"], Value::Null);
    assert_eq!(ids(&report), sorted(all));
    says(&ran.stderr, &["GetCallerIdentity", "AccessDenied"]);
}

const HOSTILE: &str = "=cmd|' /C calc'!A0\u{1b}[2J\u{202e}<script>alert(1)</script>,\"\n";

#[test]
fn csv_reads_back_line_by_line_whatever_the_names() {
    let (ec2, all) = three();
    let odd = ec2.launch(launch(REGION).tag("Name", HOSTILE).tokens("required"));
    let ran = imdsctl(&ec2, "scan --format csv").run();
    let mut reader = csv::Reader::from_reader(ran.ended_with(1).stdout.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let found = rows.iter().map(|row| row["instance_id"].clone());
    assert_eq!(sorted(found), sorted(all.into_iter().chain([odd.clone()])));
    let row = rows.iter().find(|row| row["instance_id"] == odd).unwrap();
    assert_eq!(row["decision"], "compliant");
    assert_eq!(row["http_tokens_before"], "required");
    assert!(
        row["name"].starts_with("'="),
        "a spreadsheet must not reckon with it"
    );
    assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'));
}

#[test]
fn a_hostile_name_forges_nothing_in_the_table() {
    let ec2 = Standin::start();
    let forged = "x\neu-west-1       i-0123456789abcdef0  compliant\u{1b}[2J\r";
    ec2.launch(launch(REGION).tag("Name", forged));
    let ran = imdsctl(&ec2, "scan").run();
    let stdout = &ran.ended_with(1).stdout;
    assert!(
        stdout.lines().all(|line| !line.starts_with("eu-west-1")),
        "{stdout}"
    );
    assert!(!stdout.contains(['\u{1b}', '\r']), "{stdout}");
}

#[test]
fn html_is_one_file_that_asks_for_nothing_else() {
    let (ec2, all) = three();
    ec2.launch(launch(REGION).tag("Name", HOSTILE));
    let place = Place::new();
    let path = place.path("fleet.html");
    let ran = imdsctl(&ec2, "scan --format html --output")
        .arg(&path)
        .run();
    assert_eq!(ran.ended_with(1).stdout, "");
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page.to_lowercase().starts_with("<!doctype html>"));
    says(&page, &all.each_ref().map(String::as_str));
    says(&page, &["111122223333", "</html>"]);
    assert!(!page.contains("<script>alert(1)"), "a name became markup");
    for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 1);
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o644, "it is to be handed on");
}

#[test]
fn a_device_is_written_to_and_a_link_is_followed_and_neither_is_replaced() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let ran = imdsctl(&ec2, "scan --output /dev/stdout").run();
    assert!(ran.ended_with(1).stdout.contains(&id), "{}", ran.stdout);

    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link"), folder.path().join("target"));
    std::fs::write(&target, "before").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let ran = imdsctl(&ec2, "scan --output").arg(&link).run();
    ran.ended_with(1);
    assert!(link.is_symlink());
    assert!(std::fs::read_to_string(&target).unwrap().contains(&id));
}

#[test]
fn output_that_cannot_be_written_is_a_failure_that_names_the_file() {
    let (ec2, _) = three();
    let place = Place::new();
    let path = place.path("missing/fleet.html");
    let ran = imdsctl(&ec2, "scan --format html --output")
        .arg(&path)
        .run();
    says(
        &ran.ended_with(3).stderr,
        &["could not write", "missing/fleet.html"],
    );
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let ec2 = Standin::start();
    ec2.launch_many(launch(REGION).tag("Name", &"long".repeat(60)), 2000);
    let program = binary("imdsctl").display().to_string();
    let script = format!("{program} scan --format csv | head -1; exit ${{PIPESTATUS[0]}}");
    let ran = Imdsctl::of("/bin/bash")
        .args(["-c", &script])
        .standin(&ec2)
        .run();
    assert_eq!(ran.ended_with(1).stdout.lines().count(), 1);
    assert_eq!(ran.stderr, "");
}

#[test]
fn the_table_ends_with_a_summary() {
    let (ec2, _) = three();
    ec2.launch(launch(REGION).tokens("required"));
    ec2.launch(launch(REGION).state("terminated"));
    let ran = imdsctl(&ec2, "scan").run();
    let last = ran.ended_with(1).stdout.lines().last().unwrap();
    says(
        last,
        &["3 regions, 5 instances: 1 compliant, 0 exempt, 3 to mend, 1 gone, 0 failed, 0 errors, "],
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn what_would_launch_the_next_wrong_one_is_named() {
    let ec2 = Standin::start();
    let template = ec2.template(REGION, "web");
    ec2.launch(launch(REGION).from_template(&template, "7"));
    ec2.launch(launch(REGION).in_group("workers"));
    let ran = imdsctl(&ec2, "scan").run();
    says(
        &ran.ended_with(1).stdout,
        &[
            &format!("{template} version 7"),
            "Auto Scaling group workers",
        ],
    );
}

#[test]
fn an_instance_with_an_odd_value_is_named_and_hides_no_other() {
    let (ec2, ids) = three();
    let odd = &ids[1];
    ec2.launch_many(launch(REGIONS[1]), 3);
    let hops = "<httpPutResponseHopLimit>";
    ec2.garble(odd, &format!("{hops}1<"), &format!("{hops}many<"));
    let report = scanned(&ec2, "", 3);
    assert_eq!(list(&report, "instances").len(), 5);
    let [unseen] = list(&report, "unseen") else {
        panic!("{report:#}");
    };
    assert_eq!(unseen["region"], REGIONS[1]);
    let error = unseen["error"].as_str().unwrap();
    assert!(error.contains(odd.as_str()), "{error}");
    let ran = imdsctl(&ec2, &format!("scan --instance {odd}")).run();
    assert_eq!(ran.code, Some(3));
    assert!(
        !ran.stderr.contains("is in none of these regions"),
        "{ran:?}"
    );
}
