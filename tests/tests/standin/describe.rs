//! DescribeInstances.

use std::thread::sleep;
use std::time::Duration;

use imds_tests::{LastPage, Settle, Standin, launch};

use crate::REGION;
use crate::client::{Answer, Client, ec2};

#[test]
fn an_instance_has_the_shape_that_ec2_gives_it() {
    let standin = Standin::start();
    let id = standin.launch(
        launch(REGION)
            .tokens("required")
            .hop_limit(3)
            .client_token("token")
            .image("ami-1")
            .instance_type("m5.large")
            .az("b")
            .managed_by("eks.amazonaws.com")
            .launched_at("2021-09-29T11:04:43.512Z".parse().unwrap()),
    );
    let answer = ec2(&standin, REGION).with_ids("DescribeInstances", &[&id]);
    let expected = [
        ("ownerId", "111122223333"),
        ("instanceId", id.as_str()),
        ("imageId", "ami-1"),
        ("instanceType", "m5.large"),
        ("launchTime", "2021-09-29T11:04:43.000Z"),
        ("availabilityZone", "eu-central-1b"),
        ("clientToken", "token"),
        ("attachTime", "2021-09-29T11:04:43.000Z"),
        ("httpTokens", "required"),
        ("httpPutResponseHopLimit", "3"),
        ("httpEndpoint", "enabled"),
        ("httpProtocolIpv6", "disabled"),
        ("instanceMetadataTags", "disabled"),
        ("managed", "true"),
        ("principal", "eks.amazonaws.com"),
        ("rootDeviceType", "ebs"),
    ];
    for (name, text) in expected {
        assert_eq!(answer.text(name), text, "{name}");
    }
    assert!(answer.body.contains(
        r#"<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">"#
    ));
    assert!(
        answer
            .body
            .contains("<instanceState><code>16</code><name>running</name></instanceState>")
    );
    assert!(
        (2_500..5_000).contains(&answer.body.len()),
        "{} bytes",
        answer.body.len()
    );
    assert_eq!(id.len(), 19);
}

#[test]
fn an_unknown_id_fails_the_whole_call() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    let answer = client.with_ids("DescribeInstances", &[&id, "i-0123456789abcdef0"]);
    answer.is_refused(400, "InvalidInstanceID.NotFound");
    assert_eq!(
        answer.text("Message"),
        "The instance ID 'i-0123456789abcdef0' does not exist"
    );
    assert!(answer.body.contains("<Response><Errors><Error><Code>"));
    assert_eq!(
        client.with_ids("DescribeInstances", &[&id, &id]).ids(),
        [id]
    );
}

#[test]
fn an_id_that_is_none_is_malformed_rather_than_unknown() {
    let standin = Standin::start();
    let client = ec2(&standin, REGION);
    for id in [
        "",
        "i-123",
        "i-0123456789",
        "ami-0123456789abcdef0",
        "i-0123456789ABCDEF0",
        " i-0123456789abcdef0",
    ] {
        let answer = client.with_ids("DescribeInstances", &["i-0123456789abcdef0", id]);
        answer.is_refused(400, "InvalidInstanceID.Malformed");
    }
    client
        .with_ids("DescribeInstances", &["i-12345678"])
        .is_refused(400, "InvalidInstanceID.NotFound");
}

#[test]
fn ids_and_pages_exclude_each_other() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    for page in [("MaxResults", "10"), ("NextToken", "abc")] {
        let answer = client.call("DescribeInstances", &[("InstanceId.1", &id), page]);
        assert_eq!(answer.status, 400);
    }
    client
        .call(
            "DescribeInstances",
            &[("InstanceId.1", &id), ("MaxResults", "10")],
        )
        .is_refused(400, "InvalidParameterCombination");
}

#[test]
fn the_instance_id_filter_leaves_out_what_it_does_not_know() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 3);
    let elsewhere = standin.launch(launch("us-east-1"));
    let client = ec2(&standin, REGION);
    let asked = [
        &ids[2],
        "i-0123456789abcdef0",
        &elsewhere,
        &ids[0],
        "nonsense",
    ];
    assert_eq!(
        client.filtered("instance-id", &asked).ids(),
        [&*ids[0], &*ids[2]]
    );
}

#[test]
fn two_hundred_filter_values_are_the_most() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION));
    let client = ec2(&standin, REGION);
    let mut values = vec!["i-0123456789abcdef0"; 199];
    values.push(&id);
    assert_eq!(client.filtered("instance-id", &values).ids(), [&*id]);
    values.push("i-0123456789abcdef1");
    client
        .filtered("instance-id", &values)
        .is_refused(400, "FilterLimitExceeded");
}

#[track_caller]
fn check_filter(name: &str, values: &[&str], expected: &[usize]) {
    let standin = Standin::start();
    let ids = [
        launch(REGION)
            .client_token("one")
            .image("ami-1")
            .instance_type("t3.micro")
            .tag("app", "scanner-1"),
        launch(REGION)
            .tokens("required")
            .state("stopped")
            .hop_limit(2)
            .tag("app", "web")
            .tag("x*y", "1"),
        launch(REGION)
            .endpoint("disabled")
            .metadata_tags("enabled")
            .client_token("three"),
        launch(REGION)
            .no_metadata_options()
            .launched_at("2021-09-29T11:04:43Z".parse().unwrap()),
    ]
    .map(|launch| standin.launch(launch));
    let found = ec2(&standin, REGION).filtered(name, values).ids();
    let expected: Vec<_> = expected.iter().map(|index| ids[*index].clone()).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_filter_finds_its_own() {
    check_filter("client-token", &["one"], &[0]);
    check_filter("client-token", &["one", "three", "four"], &[0, 2]);
    check_filter("launch-time", &["2021-09-29T11:04:*"], &[3]);
    check_filter("launch-time", &["2021-09-29T11:04:4?.000Z"], &[3]);
    check_filter("launch-time", &["2021-09-29"], &[]);
    check_filter("instance-state-name", &["pending", "running"], &[0, 2, 3]);
    check_filter("tag:app", &["scanner-*"], &[0]);
    check_filter("tag:app", &["*"], &[0, 1]);
    check_filter("tag-key", &["app"], &[0, 1]);
    check_filter("tag-key", &[r"x\*y"], &[1]);
    check_filter("image-id", &["ami-1"], &[0]);
    check_filter("instance-type", &["t3.micro"], &[0, 1, 2, 3]);
    check_filter("metadata-options.http-tokens", &["optional"], &[0, 2]);
    check_filter("metadata-options.http-endpoint", &["disabled"], &[2]);
    check_filter("metadata-options.http-put-response-hop-limit", &["2"], &[1]);
    check_filter("metadata-options.state", &["applied"], &[0, 1, 2]);
    check_filter(
        "metadata-options.instance-metadata-tags",
        &["enabled"],
        &[2],
    );
}

#[test]
fn all_filters_of_a_call_must_admit_an_instance() {
    let standin = Standin::start();
    standin.launch(launch(REGION).tag("app", "a"));
    let id = standin.launch(launch(REGION).tag("app", "a").tokens("required"));
    let params = [
        ("Filter.1.Name", "tag:app"),
        ("Filter.1.Value.1", "a"),
        ("Filter.2.Name", "metadata-options.http-tokens"),
        ("Filter.2.Value.1", "required"),
    ];
    assert_eq!(
        ec2(&standin, REGION)
            .call("DescribeInstances", &params)
            .ids(),
        [id]
    );
}

#[test]
fn unknown_filters_and_parameters_are_refused() {
    let standin = Standin::start();
    let client = ec2(&standin, REGION);
    client
        .filtered("http-tokens", &["optional"])
        .is_refused(400, "InvalidParameterValue");
    client
        .filtered("client-token", &[])
        .is_refused(400, "MissingParameter");
    client
        .call("DescribeInstances", &[("InstanceIds.1", "i-1")])
        .is_refused(400, "UnknownParameter");
    client
        .call("DescribeInstances", &[("InstanceId.0", "i-1")])
        .is_refused(400, "UnknownParameter");
    for most in ["4", "1001", "-1", "many"] {
        client
            .call("DescribeInstances", &[("MaxResults", most)])
            .is_refused(400, "InvalidParameterValue");
    }
}

fn all_pages(client: &Client, params: &[(&str, &str)]) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut token = String::new();
    loop {
        let mut params = params.to_vec();
        if !token.is_empty() {
            params.push(("NextToken", &token));
        }
        let answer = client.call("DescribeInstances", &params);
        answer.is_done();
        token = answer.texts("nextToken").pop().unwrap_or_default();
        answers.push(answer);
        assert!(answers.len() < 100, "the pages have no end");
        if token.is_empty() {
            return answers;
        }
    }
}

#[test]
fn pages_hold_every_instance_once() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 23);
    let client = ec2(&standin, REGION);
    let pages = all_pages(&client, &[("MaxResults", "10")]);
    assert_eq!(
        pages
            .iter()
            .map(|page| page.ids().len())
            .collect::<Vec<_>>(),
        [10, 10, 3]
    );
    assert_eq!(pages.iter().flat_map(Answer::ids).collect::<Vec<_>>(), ids);
}

#[test]
fn a_page_holds_a_thousand_even_where_more_are_not_asked_for_in_pages() {
    let standin = Standin::start();
    standin.launch_many(launch(REGION), 1_001);
    let client = ec2(&standin, REGION);
    assert_eq!(
        all_pages(&client, &[])
            .iter()
            .map(|page| page.ids().len())
            .collect::<Vec<_>>(),
        [1_000, 1]
    );
    standin.set_page_size(700);
    let pages = all_pages(&client, &[("MaxResults", "900")]);
    assert_eq!(
        pages
            .iter()
            .map(|page| page.ids().len())
            .collect::<Vec<_>>(),
        [700, 301]
    );
}

#[test]
fn pages_miss_none_of_those_that_are_mended_between_them() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 12);
    let client = ec2(&standin, REGION);
    let filter = [
        ("Filter.1.Name", "metadata-options.http-tokens"),
        ("Filter.1.Value.1", "optional"),
        ("MaxResults", "5"),
    ];
    let first = client.call("DescribeInstances", &filter);
    for id in first.ids() {
        client.modify(&id, &[("HttpTokens", "required")]).is_done();
    }
    let token = first.text("nextToken");
    let params: Vec<_> = filter.into_iter().chain([("NextToken", &*token)]).collect();
    assert_eq!(client.call("DescribeInstances", &params).ids(), &ids[5..10]);
}

#[test]
fn a_token_holds_for_its_own_query_only() {
    let standin = Standin::start();
    standin.launch_many(launch(REGION), 11);
    let client = ec2(&standin, REGION);
    let token = client
        .call("DescribeInstances", &[("MaxResults", "10")])
        .text("nextToken");
    assert!(
        token.contains(['+', '/']),
        "{token} would not show a missing percent-encoding"
    );
    for params in [
        [("MaxResults", "5"), ("NextToken", &*token)],
        [("MaxResults", "10"), ("NextToken", "abc")],
    ] {
        client
            .call("DescribeInstances", &params)
            .is_refused(400, "InvalidPaginationToken");
    }
    let params = [("MaxResults", "10"), ("NextToken", &*token)];
    ec2(&standin, "us-east-1")
        .call("DescribeInstances", &params)
        .is_refused(400, "InvalidPaginationToken");
}

#[test]
fn a_last_page_has_an_empty_token_or_none() {
    let standin = Standin::start();
    let client = ec2(&standin, REGION);
    let tokens = || {
        client
            .call("DescribeInstances", &[])
            .texts("nextToken")
            .len()
    };
    assert_ne!(tokens(), tokens());
    standin.set_last_page(LastPage::Empty);
    assert_eq!((tokens(), tokens()), (1, 1));
    standin.set_last_page(LastPage::Absent);
    assert_eq!((tokens(), tokens()), (0, 0));
}

#[test]
fn an_instance_is_unknown_until_enough_describes_have_missed_it() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION).visible(Settle::Describes(2)));
    let client = ec2(&standin, REGION);
    assert!(client.filtered("instance-id", &[&id]).ids().is_empty());
    client
        .modify(&id, &[("HttpTokens", "required")])
        .is_refused(400, "InvalidInstanceID.NotFound");
    client
        .with_ids("DescribeInstances", &[&id])
        .is_refused(400, "InvalidInstanceID.NotFound");
    assert_eq!(client.with_ids("DescribeInstances", &[&id]).ids(), [&*id]);
    client.modify(&id, &[("HttpTokens", "required")]).is_done();
}

#[test]
fn an_instance_is_unknown_until_its_time_has_come() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION).visible(Settle::After(Duration::from_millis(500))));
    let never = standin.launch(launch(REGION).visible(Settle::Never));
    let client = ec2(&standin, REGION);
    assert!(
        client
            .filtered("instance-id", &[&id, &never])
            .ids()
            .is_empty()
    );
    sleep(Duration::from_millis(550));
    assert_eq!(client.filtered("instance-id", &[&id, &never]).ids(), [&*id]);
    assert_eq!(standin.instance(&never).state, "running");
}

#[test]
fn a_late_tag_is_seen_later() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION).late_tag("app", "scanner", Settle::Describes(1)));
    let client = ec2(&standin, REGION);
    assert!(
        client.filtered("tag:app", &["*"]).ids().is_empty(),
        "what isn't shown isn't counted either"
    );
    assert_eq!(
        client.with_ids("DescribeInstances", &[&id]).texts("key"),
        [""; 0]
    );
    assert_eq!(
        client.with_ids("DescribeInstances", &[&id]).texts("key"),
        ["app"]
    );
}

#[test]
fn hostile_tags_arrive_as_they_are() {
    let standin = Standin::start();
    let (key, value) = ("<key>&\"'", "</value> ]]> \u{1F980} ü");
    let id = standin.launch(launch(REGION).tag(key, value));
    let answer = ec2(&standin, REGION).with_ids("DescribeInstances", &[&id]);
    assert_eq!(
        (answer.text("key"), answer.text("value")),
        (key.to_owned(), value.to_owned())
    );
}

#[test]
fn metadata_options_may_be_missing() {
    let standin = Standin::start();
    standin.launch(launch(REGION).no_metadata_options());
    assert!(
        !ec2(&standin, REGION)
            .call("DescribeInstances", &[])
            .body
            .contains("metadataOptions")
    );
}

#[test]
fn a_launch_is_one_reservation() {
    let standin = Standin::start();
    standin.launch_many(launch(REGION), 3);
    standin.launch(launch(REGION));
    let answer = ec2(&standin, REGION).call("DescribeInstances", &[]);
    assert_eq!(
        (answer.ids().len(), answer.texts("reservationId").len()),
        (4, 2)
    );
}

#[test]
fn terminated_instances_stay_visible_until_they_are_forgotten() {
    let standin = Standin::start();
    let id = standin.launch(launch(REGION).state("terminated"));
    let client = ec2(&standin, REGION);
    assert_eq!(
        client.filtered("instance-id", &[&id]).text("name"),
        "terminated"
    );
    standin.forget(&id);
    assert!(client.filtered("instance-id", &[&id]).ids().is_empty());
    client
        .with_ids("DescribeInstances", &[&id])
        .is_refused(400, "InvalidInstanceID.NotFound");
}

#[test]
fn twenty_thousand_instances_in_seventeen_regions_are_no_burden() {
    let standin = Standin::start();
    let regions: Vec<_> = ec2(&standin, REGION)
        .call("DescribeRegions", &[])
        .texts("regionName");
    assert_eq!(regions.len(), 17);
    let mut last = String::new();
    for region in &regions {
        last = standin.launch_many(launch(region), 1_200).remove(1_199);
    }
    let client = ec2(&standin, &regions[16]);
    assert_eq!(client.filtered("instance-id", &[&last]).ids(), [last]);
    let pages = all_pages(&client, &[("MaxResults", "1000")]);
    assert_eq!(
        pages.iter().map(|page| page.ids().len()).sum::<usize>(),
        1_200
    );
}
