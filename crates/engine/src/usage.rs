//! Who used IMDSv1, or whose calls are refused: CloudWatch's answers for every instance.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use futures_util::future::join;
use imds_aws::{CallError, Client, DescribedPage, Fault, Metric};
use imds_core::by_day::by_day;
use imds_core::chain::chain;
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HttpTokens, Toggle};
use imds_core::report::Unreachable;
use imds_core::usage::{
    CallAnswer, CallData, Datapoint, NotKnown, RejectedCalls, Usage, UsageWindow, window_begin,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::pages::{HandlePage, each_page};
use crate::regions::{OnProgress, Progress, RegionSelection, RegionsError};
use crate::scan::InstanceFilter;

/// What to ask for.
#[derive(Debug, Clone)]
pub struct UsageOptions {
    /// Which regions.
    pub regions: RegionSelection,
    /// Which instances.
    pub instances: InstanceFilter,
    /// Which calls.
    pub metric: Metric,
    /// Days to look back, 1 to 63.
    pub days: u8,
    /// Hours with data without which an instance without calls is unknown.
    pub data_hours: u8,
    /// The end of the window.
    pub now: Timestamp,
}

/// The calls of every instance.
#[derive(Debug)]
pub struct UsageSurvey {
    /// The account, 12 digits, or why it is not known.
    pub account: Result<String, CallError>,
    /// The begin of the window.
    pub begin: Timestamp,
    /// Most calls first, and those of which nothing is known before those without any. Of rejected
    /// calls only those instances that had some.
    pub instances: Vec<InstanceCalls>,
    /// Counts every instance.
    pub counts: CallCounts,
    /// What could not be described or read.
    pub unreachable: Vec<Unreachable>,
}

/// How many instances had calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// With calls.
    pub some: usize,
    /// Without.
    pub none: usize,
    /// Not known.
    pub unknown: usize,
    /// Tokens are required or the endpoint is disabled, and no earlier call is known.
    pub closed: usize,
}

/// The calls of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceCalls {
    /// The account that owns it.
    pub account: Option<String>,
    /// Its region.
    pub region: String,
    /// The instance.
    pub instance_id: InstanceId,
    /// The tag `Name`.
    pub name: Option<String>,
    /// All of its tags.
    pub tags: BTreeMap<String, String>,
    /// Where it is in its lifecycle.
    pub state: Option<State>,
    /// As it is now.
    pub http_tokens: Option<HttpTokens>,
    /// `None`: not known.
    pub calls: Option<u64>,
    /// The begin of the period of the last one.
    pub last_at: Option<Timestamp>,
    /// By 24 hours, the latest last; `None`: no datapoint.
    pub days: Vec<Option<u64>>,
    /// What the datapoints show.
    #[serde(flatten)]
    pub verdict: CallVerdict,
}

/// What the datapoints show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum CallVerdict {
    /// Of answered calls.
    #[serde(rename = "usage")]
    Answered(Usage),
    /// Of rejected calls.
    #[serde(rename = "rejected")]
    Rejected(Rejected),
}

/// Whether calls were rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of the report")]
pub enum Rejected {
    Rejected,
    None,
    Unknown { because: NotKnown },
}

impl CallVerdict {
    /// Whether there were calls; `None`: not known.
    pub fn has_calls(&self) -> Option<bool> {
        match self {
            CallVerdict::Answered(Usage::InUse { .. })
            | CallVerdict::Rejected(Rejected::Rejected) => Some(true),
            CallVerdict::Answered(Usage::Unused { .. }) | CallVerdict::Rejected(Rejected::None) => {
                Some(false)
            }
            CallVerdict::Answered(Usage::Unknown { .. })
            | CallVerdict::Rejected(Rejected::Unknown { .. }) => None,
        }
    }

    /// Why it is not known.
    pub fn unknown_because(&self) -> Option<&NotKnown> {
        match self {
            CallVerdict::Answered(Usage::Unknown { because })
            | CallVerdict::Rejected(Rejected::Unknown { because }) => Some(because),
            CallVerdict::Answered(Usage::InUse { .. } | Usage::Unused { .. })
            | CallVerdict::Rejected(Rejected::Rejected | Rejected::None) => None,
        }
    }
}

impl CallCounts {
    /// All instances.
    pub fn all(self) -> usize {
        self.some + self.none + self.unknown + self.closed
    }

    fn add(&mut self, verdict: &CallVerdict) {
        *match verdict.has_calls() {
            Some(true) => &mut self.some,
            Some(false) => &mut self.none,
            None => &mut self.unknown,
        } += 1;
    }

    fn add_all(&mut self, other: CallCounts) {
        self.some += other.some;
        self.none += other.none;
        self.unknown += other.unknown;
        self.closed += other.closed;
    }
}

/// Asks about every instance that is alive, whatever its options are now: tokens may have become
/// required within the window. `home`: a region that knows the others.
///
/// # Errors
/// Where not even the regions are known.
pub async fn usage(
    client: &Client,
    home: &str,
    options: &UsageOptions,
    on_progress: &OnProgress,
) -> Result<UsageSurvey, RegionsError> {
    let (regions, identity) =
        join(options.regions.resolve(client, home), client.identity(home)).await;
    let begin = window_begin(options.days, options.now);
    let reader = UsageReader {
        client,
        options,
        begin,
        on_progress,
    };
    let each = |region| reader.region(region);
    let regions = options
        .regions
        .side_by_side(regions?.into_iter(), on_progress, each)
        .await;
    let mut survey = UsageSurvey {
        account: identity.map(|identity| identity.account),
        begin,
        instances: Vec::new(),
        counts: CallCounts::default(),
        unreachable: Vec::new(),
    };
    let mut found = BTreeSet::new();
    for region in regions {
        survey.instances.extend(region.instances);
        survey.unreachable.extend(region.unreachable);
        survey.counts.add_all(region.counts);
        found.extend(region.found);
    }
    survey.instances.sort_by_cached_key(|it| {
        let calls = it.calls.filter(|calls| *calls > 0);
        let (region, id) = (it.region.clone(), it.instance_id.clone());
        (Reverse(calls), it.calls.is_some(), region, id)
    });
    survey.unreachable.extend(options.instances.missing(&found));
    Ok(survey)
}

struct UsageReader<'a> {
    client: &'a Client,
    options: &'a UsageOptions,
    begin: Timestamp,
    on_progress: &'a OnProgress,
}

#[derive(Default)]
struct RegionUsage {
    instances: Vec<InstanceCalls>,
    counts: CallCounts,
    unreachable: Vec<Unreachable>,
    /// Those of the ids asked for that are here.
    found: Vec<InstanceId>,
}

impl UsageReader<'_> {
    async fn region(&self, region: String) -> RegionUsage {
        let mut reader = RegionUsageReader {
            reader: self,
            region: &region,
            usage: RegionUsage::default(),
        };
        for filters in self.options.instances.searches(&region) {
            if let Err(error) = each_page(self.client, &region, &filters, &mut reader).await {
                reader.fail(chain(&error));
                break;
            }
        }
        reader.usage
    }

    fn calls(&self, instance: Instance, answer: &CallAnswer) -> InstanceCalls {
        let data = answer.as_ref().ok().and_then(|it| it.get(&instance.id));
        let (verdict, calls, last_at) = match self.options.metric {
            Metric::NoTokenRejected => rejected(data, answer),
            Metric::NoToken => {
                let window = UsageWindow {
                    since: self.begin,
                    data_hours: self.options.data_hours,
                };
                let usage = window.evaluate_answer(&instance, answer);
                let (calls, last_at) = match usage {
                    Usage::InUse { calls, last_at } => (Some(calls), Some(last_at)),
                    Usage::Unused { .. } => (Some(0), None),
                    Usage::Unknown { .. } => (None, None),
                };
                (CallVerdict::Answered(usage), calls, last_at)
            }
        };
        let points = data
            .into_iter()
            .flat_map(|it| it.accepted.iter().chain(&it.rejected));
        let points: Vec<Datapoint> = points.copied().collect();
        InstanceCalls {
            days: by_day(&points, self.begin, self.options.days),
            name: instance.tags.get("Name").cloned(),
            tags: instance.tags,
            account: instance.account,
            region: instance.region,
            instance_id: instance.id,
            state: instance.state,
            http_tokens: instance.options.http_tokens,
            calls,
            last_at,
            verdict,
        }
    }
}

struct RegionUsageReader<'a> {
    reader: &'a UsageReader<'a>,
    region: &'a str,
    usage: RegionUsage,
}

impl RegionUsageReader<'_> {
    fn fail(&mut self, error: String) {
        let unreachable = Unreachable::fatal(self.region, error);
        if !self.usage.unreachable.contains(&unreachable) {
            self.usage.unreachable.push(unreachable);
        }
    }
}

impl HandlePage for RegionUsageReader<'_> {
    async fn page(&mut self, page: DescribedPage) {
        let UsageReader {
            client,
            options,
            begin,
            on_progress,
            ..
        } = *self.reader;
        self.usage.found.extend(options.instances.found(&page));
        for unreadable in page.unreadable {
            self.fail(unreadable.to_string());
        }
        on_progress(Progress::Instances(page.instances.len()));
        let alive = |instance: &Instance| !instance.state.is_some_and(State::is_final);
        let instances: Vec<Instance> = page.instances.into_iter().filter(alive).collect();
        let ids: Vec<&InstanceId> = instances.iter().map(|instance| &instance.id).collect();
        let window = (begin, options.now);
        let metrics = match options.metric {
            Metric::NoToken => Metric::USAGE,
            Metric::NoTokenRejected => &[Metric::NoTokenRejected],
        };
        let answer = client.call_data(self.region, metrics, &ids, window);
        let answer = answer.await.map_err(|error| {
            self.fail(usage_not_read(&error));
            error.cause()
        });
        let rejected = options.metric == Metric::NoTokenRejected;
        for instance in instances {
            let closed = options.instances.ids.is_empty() && is_closed(&instance);
            let calls = self.reader.calls(instance, &answer);
            // Where nothing can use IMDSv1 any more, only earlier calls are worth a line.
            if closed && !rejected && calls.verdict.has_calls() != Some(true) {
                self.usage.counts.closed += 1;
                continue;
            }
            self.usage.counts.add(&calls.verdict);
            if !rejected || calls.verdict.has_calls() == Some(true) {
                self.usage.instances.push(calls);
            }
        }
    }
}

/// The error of a region whose calls without a token are not known, with the next step.
pub(crate) fn usage_not_read(error: &CallError) -> String {
    let next = match error.fault {
        Fault::Unauthorized => "allow cloudwatch:GetMetricData there, or exclude the region",
        _ => "run the command again",
    };
    let why = chain(error);
    format!("could not ask CloudWatch for calls without a token: {why}; {next}")
}

/// No datapoint of `MetadataNoTokenRejected` is no answer.
fn rejected(
    data: Option<&CallData>,
    answer: &CallAnswer,
) -> (CallVerdict, Option<u64>, Option<Timestamp>) {
    let verdict = |rejected, calls, last_at| (CallVerdict::Rejected(rejected), calls, last_at);
    let unknown = |because| verdict(Rejected::Unknown { because }, None, None);
    let none = CallData::default();
    let CallData {
        rejected,
        incomplete,
        ..
    } = data.unwrap_or(&none);
    match (answer, RejectedCalls::count(rejected), incomplete) {
        (Err(error), ..) => unknown(NotKnown::Unreadable(error.clone())),
        (Ok(_), Some(RejectedCalls { calls, last_at }), _) => {
            verdict(Rejected::Rejected, Some(calls), Some(last_at))
        }
        (Ok(_), None, Some(status)) => unknown(NotKnown::Incomplete(status.clone())),
        (Ok(_), None, None) if rejected.is_empty() => unknown(NotKnown::NoData),
        (Ok(_), None, None) => verdict(Rejected::None, Some(0), None),
    }
}

/// Calls without a token are not answered there.
fn is_closed(instance: &Instance) -> bool {
    instance.options.http_tokens == Some(HttpTokens::Required)
        || instance.options.http_endpoint == Some(Toggle::Disabled)
}
