//! GetMetricData.

use std::time::Duration;

use ciborium::Value;
use imds_tests::{FakeAws, launch};
use jiff::Timestamp;

use crate::REGION;
use crate::cloudwatch::{
    CborAnswer, at, cloudwatch, list, map, member, numbers, query, text, time,
};

const DAY: u64 = 86_400;

#[expect(clippy::disallowed_methods, reason = "the fake keeps AWS's time")]
pub(crate) fn ago(seconds: u64) -> Timestamp {
    Timestamp::now() - Duration::from_secs(seconds)
}

/// A query of one metric of each instance.
struct TestQuery<'a> {
    instances: &'a [String],
    metric: &'a str,
    stat: &'a str,
    period: u32,
}

fn sums<'a>(instances: &'a [String], metric: &'a str) -> TestQuery<'a> {
    TestQuery {
        instances,
        metric,
        stat: "Sum",
        period: 300,
    }
}

impl TestQuery<'_> {
    fn body(&self, days: u64) -> Value {
        let queries = (1..).zip(self.instances).map(|(number, instance)| {
            let id = format!("m{number}");
            query(&id, instance, self.metric, self.stat, self.period)
        });
        map([
            ("MetricDataQueries", list(queries)),
            ("StartTime", time(ago(days * DAY))),
            ("EndTime", time(ago(0))),
        ])
    }

    fn over(&self, fake: &FakeAws, days: u64) -> CborAnswer {
        cloudwatch(fake, REGION).get_metric_data(&self.body(days))
    }
}

type ShownSeries = (String, Vec<f64>, String);

/// Id, values and status of each result.
#[track_caller]
fn results(answer: &CborAnswer) -> Vec<ShownSeries> {
    let results = answer.member("MetricDataResults").unwrap();
    let results = results.as_array().unwrap();
    results
        .iter()
        .map(|result| {
            let values = numbers(result, "Values");
            let times = member(result, "Timestamps").unwrap().as_array().unwrap();
            assert_eq!(times.len(), values.len());
            let status = text(result, "StatusCode").to_owned();
            (text(result, "Id").to_owned(), values, status)
        })
        .collect()
}

fn result(id: &str, values: &[f64], status: &str) -> ShownSeries {
    (id.to_owned(), values.to_vec(), status.to_owned())
}

#[test]
fn datapoints_are_summed_by_period_newest_first() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 2);
    for seconds in [3_600, 3_600, 7_200] {
        fake.datapoint(&ids[0], "MetadataNoToken", ago(seconds), 2.0);
    }
    fake.datapoint(&ids[0], "MetadataNoTokenRejected", ago(3_600), 9.0);
    let answer = sums(&ids, "MetadataNoToken").over(&fake, 1);
    assert_eq!(
        results(&answer),
        [
            result("m1", &[4.0, 2.0], "Complete"),
            result("m2", &[], "Complete")
        ]
    );
    let shown = answer.member("MetricDataResults").unwrap();
    assert_eq!(
        text(&shown.as_array().unwrap()[0], "Label"),
        "MetadataNoToken"
    );
    assert_eq!(answer.member("Messages"), Some(list([])));
    let stat = |stat| {
        let query = TestQuery {
            stat,
            ..sums(&ids[..1], "MetadataNoToken")
        };
        results(&query.over(&fake, 1))[0].1.clone()
    };
    assert_eq!(
        [stat("Maximum"), stat("SampleCount"), stat("Average")],
        [[2.0, 2.0], [2.0, 1.0], [2.0, 2.0]]
    );
}

#[test]
fn a_datapoint_has_the_begin_of_its_period() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 1);
    let time = ago(3_600);
    fake.datapoint(&ids[0], "MetadataNoToken", time, 0.1);
    let answer = sums(&ids, "MetadataNoToken").over(&fake, 1);
    assert_eq!(results(&answer), [result("m1", &[0.1], "Complete")]);
    let shown = answer.member("MetricDataResults").unwrap();
    let times = member(&shown.as_array().unwrap()[0], "Timestamps").unwrap();
    let (tag, seconds) = times.as_array().unwrap()[0].as_tag().unwrap();
    let begin = time.as_second() - time.as_second() % 300;
    assert_eq!((tag, seconds.as_float()), (1, Some(begin as f64)));
}

#[test]
fn only_the_window_and_the_region_count() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 1);
    let elsewhere = vec![fake.launch(launch("us-east-1"))];
    fake.datapoint(&ids[0], "MetadataNoToken", ago(3 * DAY), 1.0);
    fake.datapoint(&elsewhere[0], "MetadataNoToken", ago(3_600), 1.0);
    let query = sums(&ids, "MetadataNoToken");
    assert_eq!(results(&query.over(&fake, 2))[0].1.len(), 0);
    assert_eq!(results(&query.over(&fake, 4))[0].1.len(), 1);
    let other = sums(&elsewhere, "MetadataNoToken");
    assert_eq!(results(&other.over(&fake, 4))[0].1.len(), 0);
}

#[test]
fn old_datapoints_are_kept_in_longer_periods_only() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 1);
    fake.datapoint(&ids[0], "MetadataNoToken", ago(10 * DAY), 1.0);
    fake.datapoint(&ids[0], "MetadataNoToken", ago(20 * DAY), 1.0);
    fake.datapoint(&ids[0], "MetadataNoToken", ago(70 * DAY), 1.0);
    let found = |period| {
        let query = TestQuery {
            period,
            ..sums(&ids, "MetadataNoToken")
        };
        results(&query.over(&fake, 80))[0].1.len()
    };
    assert_eq!([found(60), found(300), found(3600)], [1, 2, 3]);
}

#[test]
fn a_result_may_continue_on_the_next_page() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 3);
    for (id, count) in ids.iter().zip([2_u64, 0, 3]) {
        for hour in 0..count {
            fake.datapoint(id, "MetadataNoToken", ago(3_600 * (hour + 1)), 1.0);
        }
    }
    fake.set_metric_page(2);
    // The token is valid for the same times only.
    let body = sums(&ids, "MetadataNoToken").body(1);
    let page = |token: Option<&str>| {
        let mut body = body.clone();
        if let Some(token) = token {
            *at(&mut body, "NextToken") = token.into();
        }
        cloudwatch(&fake, REGION).get_metric_data(&body)
    };
    let token = |answer: &CborAnswer| {
        let token = answer.member("NextToken")?;
        Some(token.as_text().unwrap().to_owned())
    };
    let first = page(None);
    assert_eq!(
        results(&first),
        [
            result("m1", &[1.0, 1.0], "Complete"),
            result("m2", &[], "Complete")
        ]
    );
    let second = page(token(&first).as_deref());
    assert_eq!(results(&second), [result("m3", &[1.0, 1.0], "PartialData")]);
    let third = page(token(&second).as_deref());
    assert_eq!(results(&third), [result("m3", &[1.0], "Complete")]);
    assert_eq!(token(&third), None);
    page(Some("abc")).is_rejected(400, "InvalidNextToken");
}

#[test]
fn five_hundred_queries_are_the_most() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 501);
    assert_eq!(
        results(&sums(&ids[..500], "MetadataNoToken").over(&fake, 1)).len(),
        500
    );
    sums(&ids, "MetadataNoToken")
        .over(&fake, 1)
        .is_rejected(400, "ValidationError");
}

#[test]
fn invalid_queries_are_rejected() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 2);
    let refused = |path: &str, value: Value| {
        let mut body = sums(&ids, "MetadataNoToken").body(1);
        *at(&mut body, path) = value;
        cloudwatch(&fake, REGION).get_metric_data(&body).error()
    };
    let invalid = (400, "ValidationError".to_owned());
    let second = "MetricDataQueries.1";
    assert_eq!(refused(&format!("{second}.Id"), "m1".into()), invalid);
    assert_eq!(refused(&format!("{second}.Id"), "i-0123".into()), invalid);
    let stat = format!("{second}.MetricStat");
    assert_eq!(refused(&format!("{stat}.Period"), 7.into()), invalid);
    assert_eq!(refused(&format!("{stat}.Stat"), "p99".into()), invalid);
    let long_ago = time("2020-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(refused("EndTime", long_ago), invalid);
    assert_eq!(
        refused("Colour", "red".into()),
        (400, "UnknownParameter".to_owned())
    );
    sums(&[], "MetadataNoToken")
        .over(&fake, 1)
        .is_rejected(400, "MissingParameter");
}

#[test]
fn a_series_of_datapoints_has_one_at_every_step_before_its_end() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 1);
    let hour = Duration::from_hours(1);
    let from = ago(4 * 3_600);
    fake.datapoints(&ids[0], "MetadataNoToken", from, from + hour * 3, hour, 2.0);
    let answer = sums(&ids, "MetadataNoToken").over(&fake, 1);
    assert_eq!(
        results(&answer),
        [result("m1", &[2.0, 2.0, 2.0], "Complete")]
    );
}

#[test]
fn a_result_may_be_partial_failed_or_forbidden() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 2);
    for id in &ids {
        for hour in 1..=4 {
            let calls = if hour < 3 { 0.0 } else { 7.0 };
            fake.datapoint(id, "MetadataNoToken", ago(3_600 * hour), calls);
        }
        fake.datapoint(id, "MetadataNoTokenRejected", ago(3_600), 1.0);
    }
    let all = [0.0, 0.0, 7.0, 7.0];
    for (code, shown) in [
        ("PartialData", &all[..2]),
        ("InternalError", &all[..]),
        ("Forbidden", &[]),
        ("Complete", &all),
    ] {
        fake.set_status_code(&ids[0], "MetadataNoToken", code);
        assert_eq!(
            results(&sums(&ids, "MetadataNoToken").over(&fake, 1)),
            [result("m1", shown, code), result("m2", &all, "Complete")]
        );
        let other = sums(&ids[..1], "MetadataNoTokenRejected");
        assert_eq!(
            results(&other.over(&fake, 1)),
            [result("m1", &[1.0], "Complete")]
        );
    }
}

#[test]
fn the_last_page_has_the_status_of_the_result() {
    let fake = FakeAws::start();
    let ids = fake.launch_many(launch(REGION), 2);
    let from = ago(20 * 3_600);
    let hour = Duration::from_hours(1);
    fake.datapoints(&ids[0], "MetadataNoToken", from, from + hour * 6, hour, 1.0);
    fake.datapoint(&ids[1], "MetadataNoToken", from, 9.0);
    fake.set_metric_page(2);
    let mut body = sums(&ids, "MetadataNoToken").body(1);
    let mut pages = |code| {
        fake.set_status_code(&ids[0], "MetadataNoToken", code);
        *at(&mut body, "NextToken") = Value::Null;
        let mut pages = Vec::new();
        loop {
            let mut page = body.clone();
            let members = page.as_map_mut().unwrap();
            members.retain(|(_, value)| !value.is_null());
            let answer = cloudwatch(&fake, REGION).get_metric_data(&page);
            pages.push(results(&answer));
            match answer.member("NextToken") {
                Some(token) => *at(&mut body, "NextToken") = token,
                None => return pages,
            }
        }
    };
    let whole = |status: &str| result("m1", &[1.0, 1.0], status);
    let other = result("m2", &[9.0], "Complete");
    assert_eq!(
        pages("PartialData"),
        [
            vec![whole("PartialData")],
            vec![result("m1", &[1.0], "PartialData"), other.clone()]
        ]
    );
    assert_eq!(
        pages("InternalError"),
        [
            vec![whole("PartialData")],
            vec![whole("PartialData")],
            vec![whole("InternalError")],
            vec![other]
        ]
    );
}

#[test]
#[should_panic(expected = "`Done` is no status code of CloudWatch")]
fn an_unknown_status_code_in_a_test_is_named() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.set_status_code(&id, "MetadataNoToken", "Done");
}
