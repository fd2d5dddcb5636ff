//! GetMetricData.

use std::time::Duration;

use imds_tests::{Standin, launch};
use jiff::Timestamp;

use crate::REGION;
use crate::client::{Answer, cloudwatch};

const DAY: u64 = 86_400;

#[expect(clippy::disallowed_methods, reason = "the stand-in keeps AWS's time")]
fn ago(seconds: u64) -> Timestamp {
    Timestamp::now() - Duration::from_secs(seconds)
}

/// The sum of one metric of each instance, by so long a period.
struct Query<'a> {
    instances: &'a [String],
    metric: &'a str,
    stat: &'a str,
    period: &'a str,
    extra: Vec<(&'a str, String)>,
}

fn sums<'a>(instances: &'a [String], metric: &'a str) -> Query<'a> {
    Query {
        instances,
        metric,
        stat: "Sum",
        period: "300",
        extra: Vec::new(),
    }
}

impl Query<'_> {
    fn over(&self, standin: &Standin, days: u64) -> Answer {
        let mut params = vec![
            ("StartTime".to_owned(), ago(days * DAY).to_string()),
            ("EndTime".to_owned(), ago(0).to_string()),
        ];
        for (number, instance) in (1..).zip(self.instances) {
            let prefix = format!("MetricDataQueries.member.{number}");
            let fields = [
                ("Id", format!("m{number}")),
                ("MetricStat.Metric.Namespace", "AWS/EC2".to_owned()),
                ("MetricStat.Metric.MetricName", self.metric.to_owned()),
                (
                    "MetricStat.Metric.Dimensions.member.1.Name",
                    "InstanceId".to_owned(),
                ),
                (
                    "MetricStat.Metric.Dimensions.member.1.Value",
                    instance.clone(),
                ),
                ("MetricStat.Period", self.period.to_owned()),
                ("MetricStat.Stat", self.stat.to_owned()),
            ];
            params.extend(fields.map(|(name, value)| (format!("{prefix}.{name}"), value)));
        }
        params.retain(|(name, _)| !self.extra.iter().any(|(extra, _)| extra == name));
        params.extend(
            self.extra
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        let params: Vec<_> = params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        cloudwatch(standin, REGION).call("GetMetricData", &params)
    }
}

/// Id and values of each result.
fn results(answer: &Answer) -> Vec<(String, Vec<String>, String)> {
    let document = roxmltree::Document::parse(&answer.body).unwrap();
    let named = |node: roxmltree::Node<'_, '_>, name: &str| {
        let found = node
            .children()
            .find(|child| child.tag_name().name() == name)
            .map(|node| {
                node.children()
                    .filter_map(|member| member.text())
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            });
        found.unwrap_or_default()
    };
    let text = |node: roxmltree::Node<'_, '_>, name: &str| {
        node.children()
            .find(|child| child.tag_name().name() == name)
            .unwrap()
            .text()
            .unwrap()
            .to_owned()
    };
    let results = document
        .descendants()
        .find(|node| node.tag_name().name() == "MetricDataResults")
        .unwrap();
    results
        .children()
        .map(|member| {
            (
                text(member, "Id"),
                named(member, "Values"),
                text(member, "StatusCode"),
            )
        })
        .collect()
}

fn result(id: &str, values: &[&str], status: &str) -> (String, Vec<String>, String) {
    (
        id.to_owned(),
        values.iter().map(|value| (*value).to_owned()).collect(),
        status.to_owned(),
    )
}

#[test]
fn datapoints_are_summed_by_period_newest_first() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 2);
    for seconds in [3_600, 3_600, 7_200] {
        standin.datapoint(&ids[0], "MetadataNoToken", ago(seconds), 2.0);
    }
    standin.datapoint(&ids[0], "MetadataNoTokenRejected", ago(3_600), 9.0);
    let answer = sums(&ids, "MetadataNoToken").over(&standin, 1);
    assert_eq!(
        results(&answer),
        [
            result("m1", &["4", "2"], "Complete"),
            result("m2", &[], "Complete")
        ]
    );
    assert_eq!(answer.texts("Label")[0], "MetadataNoToken");
    let stat = |stat| {
        results(
            &Query {
                stat,
                ..sums(&ids[..1], "MetadataNoToken")
            }
            .over(&standin, 1),
        )[0]
        .1
        .clone()
    };
    assert_eq!(
        [stat("Maximum"), stat("SampleCount"), stat("Average")],
        [["2", "2"], ["2", "1"], ["2", "2"]]
    );
}

#[test]
fn only_the_window_and_the_region_count() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 1);
    let elsewhere = vec![standin.launch(launch("us-east-1"))];
    standin.datapoint(&ids[0], "MetadataNoToken", ago(3 * DAY), 1.0);
    standin.datapoint(&elsewhere[0], "MetadataNoToken", ago(3_600), 1.0);
    let query = sums(&ids, "MetadataNoToken");
    assert_eq!(results(&query.over(&standin, 2))[0].1.len(), 0);
    assert_eq!(results(&query.over(&standin, 4))[0].1.len(), 1);
    assert_eq!(
        results(&sums(&elsewhere, "MetadataNoToken").over(&standin, 4))[0]
            .1
            .len(),
        0
    );
}

#[test]
fn old_datapoints_are_kept_in_longer_periods_only() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 1);
    standin.datapoint(&ids[0], "MetadataNoToken", ago(10 * DAY), 1.0);
    standin.datapoint(&ids[0], "MetadataNoToken", ago(20 * DAY), 1.0);
    standin.datapoint(&ids[0], "MetadataNoToken", ago(70 * DAY), 1.0);
    let found = |period| {
        let query = Query {
            period,
            ..sums(&ids, "MetadataNoToken")
        };
        results(&query.over(&standin, 80))[0].1.len()
    };
    assert_eq!([found("60"), found("300"), found("3600")], [1, 2, 3]);
}

#[test]
fn a_result_may_be_cut_over_pages() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 3);
    for (id, count) in ids.iter().zip([2_u64, 0, 3]) {
        for hour in 0..count {
            standin.datapoint(id, "MetadataNoToken", ago(3_600 * (hour + 1)), 1.0);
        }
    }
    standin.set_metric_page(2);
    // All pages are of one query: the token holds for its times too.
    let times = [
        ("StartTime", ago(DAY).to_string()),
        ("EndTime", ago(0).to_string()),
    ];
    let page = |token: Option<&str>| {
        let token = token.map(|token| ("NextToken", token.to_owned()));
        let extra = times.iter().cloned().chain(token).collect();
        Query {
            extra,
            ..sums(&ids, "MetadataNoToken")
        }
        .over(&standin, 1)
    };
    let first = page(None);
    assert_eq!(
        results(&first),
        [
            result("m1", &["1", "1"], "Complete"),
            result("m2", &[], "Complete")
        ]
    );
    let second = page(Some(&first.text("NextToken")));
    assert_eq!(results(&second), [result("m3", &["1", "1"], "PartialData")]);
    let third = page(Some(&second.text("NextToken")));
    assert_eq!(results(&third), [result("m3", &["1"], "Complete")]);
    assert_eq!(third.texts("NextToken").len(), 0);
    page(Some("abc")).is_refused(400, "InvalidNextToken");
}

#[test]
fn five_hundred_queries_are_the_most() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 501);
    assert_eq!(
        results(&sums(&ids[..500], "MetadataNoToken").over(&standin, 1)).len(),
        500
    );
    sums(&ids, "MetadataNoToken")
        .over(&standin, 1)
        .is_refused(400, "ValidationError");
}

#[test]
fn queries_that_make_no_sense_are_refused() {
    let standin = Standin::start();
    let ids = standin.launch_many(launch(REGION), 2);
    let refused = |extra: (&str, &str)| {
        let extra = vec![(extra.0, extra.1.to_owned())];
        Query {
            extra,
            ..sums(&ids, "MetadataNoToken")
        }
        .over(&standin, 1)
        .error()
    };
    let invalid = (400, "ValidationError".to_owned());
    assert_eq!(refused(("MetricDataQueries.member.2.Id", "m1")), invalid);
    assert_eq!(
        refused(("MetricDataQueries.member.2.Id", "i-0123")),
        invalid
    );
    assert_eq!(
        refused(("MetricDataQueries.member.2.MetricStat.Period", "7")),
        invalid
    );
    assert_eq!(
        refused(("MetricDataQueries.member.2.MetricStat.Stat", "p99")),
        invalid
    );
    assert_eq!(refused(("StartTime", "yesterday")), invalid);
    assert_eq!(refused(("EndTime", "2020-01-01T00:00:00Z")), invalid);
    sums(&[], "MetadataNoToken")
        .over(&standin, 1)
        .is_refused(400, "MissingParameter");
}
