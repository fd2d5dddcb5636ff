//! DescribeInstances page by page.

use imds_tests::{FakeAws, LastPage, launch};

use crate::REGION;
use crate::client::{HttpAnswer, RawClient, ec2};

fn all_pages(client: &RawClient, params: &[(&str, &str)]) -> Vec<HttpAnswer> {
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
fn a_page_holds_a_thousand_even_without_max_results() {
    let fake = FakeAws::start();
    fake.launch_many(launch(REGION), 1_001);
    let client = ec2(&fake, REGION);
    assert_eq!(
        all_pages(&client, &[])
            .iter()
            .map(|page| page.ids().len())
            .collect::<Vec<_>>(),
        [1_000, 1]
    );
    fake.set_page_size(700);
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
fn pages_miss_no_instance_that_is_changed_between_them() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 12);
    let client = ec2(&fake, REGION);
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
fn a_token_is_valid_for_its_query_only() {
    let fake = FakeAws::start();
    fake.launch_many(launch(REGION), 11);
    let client = ec2(&fake, REGION);
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
            .is_rejected(400, "InvalidPaginationToken");
    }
    let params = [("MaxResults", "10"), ("NextToken", &*token)];
    ec2(&fake, "us-east-1")
        .call("DescribeInstances", &params)
        .is_rejected(400, "InvalidPaginationToken");
}

#[test]
fn a_last_page_has_an_empty_token_or_none() {
    let fake = FakeAws::start();
    let client = ec2(&fake, REGION);
    let tokens = || {
        client
            .call("DescribeInstances", &[])
            .texts("nextToken")
            .len()
    };
    assert_ne!(tokens(), tokens());
    fake.set_last_page(LastPage::Empty);
    assert_eq!((tokens(), tokens()), (1, 1));
    fake.set_last_page(LastPage::Absent);
    assert_eq!((tokens(), tokens()), (0, 0));
}

#[test]
fn twenty_thousand_instances_in_seventeen_regions_can_be_described() {
    let fake = FakeAws::start();
    let regions: Vec<_> = ec2(&fake, REGION)
        .call("DescribeRegions", &[])
        .texts("regionName");
    assert_eq!(regions.len(), 17);
    let mut last = String::new();
    for region in &regions {
        last = fake.launch_many(launch(region), 1_200).remove(1_199);
    }
    let client = ec2(&fake, &regions[16]);
    assert_eq!(client.filtered("instance-id", &[&last]).ids(), [last]);
    let pages = all_pages(&client, &[("MaxResults", "1000")]);
    assert_eq!(
        pages.iter().map(|page| page.ids().len()).sum::<usize>(),
        1_200
    );
}
