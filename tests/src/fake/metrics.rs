//! CloudWatch's GetMetricData, over the datapoints that the test has added.

use std::collections::{BTreeMap, BTreeSet};

use ciborium::Value;
use jiff::{SignedDuration, Timestamp};

use super::api_error::ApiError;
use super::cbor;
use super::page::{position, token};
use super::request::ApiRequest;
use super::state::FakeState;
use crate::clock::now;

const MOST_QUERIES: usize = 500;
const MOST_DATAPOINTS: usize = 100_800;
const DAY: i64 = 86_400;

/// All datapoints, and the most of them in an answer.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) page: usize,
    points: BTreeMap<Series, Vec<(Timestamp, f64)>>,
    statuses: BTreeMap<Series, StatusCode>,
}

/// What the last page tells of a result.
#[derive(Clone, Copy, Debug)]
enum StatusCode {
    Complete,
    PartialData,
    InternalError,
    Forbidden,
}

/// Region, metric of `AWS/EC2`, instance.
pub(super) type Series = (String, String, String);

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            page: MOST_DATAPOINTS,
            points: BTreeMap::new(),
            statuses: BTreeMap::new(),
        }
    }
}

impl Metrics {
    pub(super) fn add(
        &mut self,
        series: Series,
        points: impl IntoIterator<Item = (Timestamp, f64)>,
    ) {
        self.points.entry(series).or_default().extend(points);
    }

    /// # Panics
    /// On a code that CloudWatch does not have.
    pub(super) fn set_status(&mut self, series: Series, code: &str) {
        let status = STATUS_CODES
            .into_iter()
            .find(|status| status.name() == code)
            .unwrap_or_else(|| panic!("`{code}` is no status code of CloudWatch"));
        self.statuses.insert(series, status);
    }
}

const STATUS_CODES: [StatusCode; 4] = [
    StatusCode::Complete,
    StatusCode::PartialData,
    StatusCode::InternalError,
    StatusCode::Forbidden,
];

impl StatusCode {
    fn name(self) -> &'static str {
        match self {
            StatusCode::Complete => "Complete",
            StatusCode::PartialData => "PartialData",
            StatusCode::InternalError => "InternalError",
            StatusCode::Forbidden => "Forbidden",
        }
    }

    /// How many of so many datapoints there are.
    fn shown_of(self, count: usize) -> usize {
        match self {
            StatusCode::Complete | StatusCode::InternalError => count,
            StatusCode::PartialData => count.div_ceil(2),
            StatusCode::Forbidden => 0,
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
///
/// A result that does not fit into an answer continues in the next one, under the same id.
pub(super) fn get_metric_data(
    fake: &mut FakeState,
    request: &ApiRequest,
) -> Result<Value, ApiError> {
    let (from, until) = (time(request, "StartTime")?, time(request, "EndTime")?);
    if from >= until {
        return Err(invalid(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let most = request
        .number("MaxDatapoints")?
        .unwrap_or(MOST_DATAPOINTS)
        .min(fake.metrics.page);
    let begin = match request.get("NextToken") {
        None => 0,
        Some(token) => position(request, token).map_err(|_| {
            ApiError::new("InvalidNextToken", "The specified nextToken is invalid.")
        })?,
    };
    let mut passed = 0;
    let mut room = most;
    let mut whole = true;
    let mut results = Vec::new();
    for query in queries(request)? {
        let (points, status) = query.found(fake, request, from, until);
        let shown_before = begin.saturating_sub(passed);
        passed += points.len();
        if begin > 0 && passed <= begin {
            continue;
        }
        let rest = &points[shown_before..];
        if room == 0 && !rest.is_empty() {
            whole = false;
            break;
        }
        let shown = rest[..rest.len().min(room)].to_vec();
        room -= shown.len();
        whole = shown.len() == rest.len();
        let status = if whole {
            status
        } else {
            StatusCode::PartialData
        };
        results.push((query, shown, status));
        if !whole {
            break;
        }
    }
    let mut answer = vec![
        (
            "MetricDataResults".into(),
            Value::Array(results.iter().map(written).collect()),
        ),
        ("Messages".into(), Value::Array(Vec::new())),
    ];
    if !whole {
        answer.push(("NextToken".into(), token(request, begin + most).into()));
    }
    Ok(Value::Map(answer))
}

fn written(
    (query, points, status): &(MetricQuery<'_>, Vec<(Timestamp, f64)>, StatusCode),
) -> Value {
    let times = points.iter().map(|(at, _)| cbor::time(*at)).collect();
    let values = points.iter().map(|(_, value)| Value::Float(*value));
    cbor::map([
        ("Id", query.id.into()),
        ("Label", query.metric.into()),
        ("Timestamps", Value::Array(times)),
        ("Values", Value::Array(values.collect())),
        ("StatusCode", status.name().into()),
    ])
}

struct MetricQuery<'a> {
    id: &'a str,
    namespace: &'a str,
    metric: &'a str,
    instance: Option<&'a str>,
    period: i64,
    statistic: &'a str,
}

impl MetricQuery<'_> {
    /// One value for every period with datapoints, newest first unless the call says otherwise, as far
    /// as they are shown; and the status of the last page.
    fn found(
        &self,
        fake: &FakeState,
        request: &ApiRequest,
        from: Timestamp,
        until: Timestamp,
    ) -> (Vec<(Timestamp, f64)>, StatusCode) {
        let Some(instance) = self.instance.filter(|_| self.namespace == "AWS/EC2") else {
            return (Vec::new(), StatusCode::Complete);
        };
        let series = (
            request.region.clone(),
            self.metric.to_owned(),
            instance.to_owned(),
        );
        let mut periods: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (at, value) in fake.metrics.points.get(&series).into_iter().flatten() {
            if (from..until).contains(at) && self.period >= finest_period(*at) {
                let second = at.as_second();
                periods
                    .entry(second - second.rem_euclid(self.period))
                    .or_default()
                    .push(*value);
            }
        }
        let value = |values: &[f64]| match self.statistic {
            "Sum" => values.iter().sum(),
            "Maximum" => values.iter().copied().fold(f64::MIN, f64::max),
            "Minimum" => values.iter().copied().fold(f64::MAX, f64::min),
            "SampleCount" => values.len() as f64,
            _ => values.iter().sum::<f64>() / values.len() as f64,
        };
        let at = |second: i64| Timestamp::from_second(second).expect("rounded from a time");
        let status = fake.metrics.statuses.get(&series).copied();
        let status = status.unwrap_or(StatusCode::Complete);
        let mut points: Vec<_> = periods
            .iter()
            .rev()
            .take(status.shown_of(periods.len()))
            .map(|(second, values)| (at(*second), value(values)))
            .collect();
        if request.get("ScanBy") == Some("TimestampAscending") {
            points.reverse();
        }
        (points, status)
    }
}

/// In seconds: one minute for 15 days, five minutes for 63 days, one hour after that.
fn finest_period(at: Timestamp) -> i64 {
    let age = now().duration_since(at);
    if age <= SignedDuration::from_secs(15 * DAY) {
        60
    } else if age <= SignedDuration::from_secs(63 * DAY) {
        300
    } else {
        3600
    }
}

fn queries(request: &ApiRequest) -> Result<Vec<MetricQuery<'_>>, ApiError> {
    let prefix = "MetricDataQueries.member";
    let count = request.groups(prefix);
    if count == 0 {
        return Err(ApiError::new(
            "MissingParameter",
            "The parameter MetricDataQueries is required.",
        ));
    }
    if count > MOST_QUERIES {
        return Err(invalid(format!(
            "The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        )));
    }
    let mut ids = BTreeSet::new();
    (1..=count)
        .map(|number| {
            let query = query(request, &format!("{prefix}.{number}"))?;
            if !ids.insert(query.id) {
                return Err(invalid(format!("The id {} is used twice.", query.id)));
            }
            Ok(query)
        })
        .collect()
}

fn query<'a>(request: &'a ApiRequest, prefix: &str) -> Result<MetricQuery<'a>, ApiError> {
    let require = |name: &str| request.require(&format!("{prefix}.{name}"));
    let id = require("Id")?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !id.starts_with(|first: char| first.is_ascii_lowercase()) || !id.bytes().all(word) {
        return Err(invalid(format!(
            "The value {id} for parameter Id is not matching the expected pattern."
        )));
    }
    let name = format!("{prefix}.MetricStat.Period");
    let period = request
        .number::<i64>(&name)?
        .ok_or_else(|| ApiError::missing(&name))?;
    if period < 60 || period % 60 != 0 {
        return Err(invalid("Period must be a multiple of 60."));
    }
    let statistic = require("MetricStat.Stat")?;
    if !["Sum", "Maximum", "Minimum", "Average", "SampleCount"].contains(&statistic) {
        return Err(invalid(format!(
            "The value {statistic} for parameter Stat is not supported."
        )));
    }
    let dimension = format!("{prefix}.MetricStat.Metric.Dimensions.member.1");
    let instance = request
        .get(&format!("{dimension}.Name"))
        .filter(|name| *name == "InstanceId")
        .and_then(|_| request.get(&format!("{dimension}.Value")));
    Ok(MetricQuery {
        id,
        namespace: require("MetricStat.Metric.Namespace")?,
        metric: require("MetricStat.Metric.MetricName")?,
        instance,
        period,
        statistic,
    })
}

fn time(request: &ApiRequest, name: &str) -> Result<Timestamp, ApiError> {
    let text = request.require(name)?;
    text.parse().map_err(|_| {
        invalid(format!(
            "The value {text} for parameter {name} is not a time."
        ))
    })
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}
