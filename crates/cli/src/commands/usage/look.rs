//! Finds the instances and asks CloudWatch about them, region by region.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join;
use imds_aws::{Client, Metric};
use imds_core::chain::chain;
use imds_core::instance::{HttpTokens, Instance, InstanceId, State, Toggle};
use imds_core::policy::Existing;
use imds_core::report::Unseen;
use imds_core::usage::{Breaking, Datapoint, NotKnown, Usage};
use jiff::Timestamp;

use super::by_day::by_day;
use super::member::{Counts, Member, Refused, Survey, Verdict};
use crate::args::UsageOf;
use crate::connect::Connected;
use crate::error::Problem;
use crate::fleet::{self, Search};
use crate::progress::Progress;
use crate::side_by_side::side_by_side;

/// Every instance that lives is asked about, whatever its options are now: tokens may have become
/// required within the window.
pub(super) async fn look(
    connected: &Connected,
    args: &UsageOf,
    now: Timestamp,
    progress: &Progress,
) -> Result<Survey, Problem> {
    let (regions, identity) = join(
        connected.regions(&args.regions),
        connected.client.identity(&connected.region),
    )
    .await;
    let regions = regions?;
    let window = Existing {
        usage_window_days: args.days,
        ..Existing::default()
    };
    let begin = window.window_begin(now);
    let asked = Asked {
        client: &connected.client,
        args,
        window,
        begin,
        now,
        progress,
    };
    let at_once = args.regions.at_once();
    let regions = regions.into_iter();
    let seen = side_by_side(regions, at_once, progress, |region| asked.region(region)).await;

    let (mut members, mut unseen) = (Vec::new(), Vec::new());
    let mut counts = Counts::default();
    let mut found = BTreeSet::new();
    for region in seen {
        members.extend(region.members);
        unseen.extend(region.unseen);
        counts.add_all(region.counts);
        found.extend(region.found);
    }
    members.sort_by_cached_key(|member: &Member| {
        let calls = member.calls.filter(|calls| *calls > 0);
        let known = member.calls.is_some();
        let (region, id) = (member.region.clone(), member.instance_id.clone());
        (Reverse(calls), known, region, id)
    });
    unseen.extend(fleet::missing(&args.instances.ids, &found));
    let account = match identity {
        Ok(identity) => Some(identity.account),
        Err(error) => {
            progress.say(&format!("imdsctl: {}", chain(&error)));
            None
        }
    };
    Ok(Survey {
        rejected: args.rejected,
        account,
        begin,
        end: now,
        days: args.days,
        members,
        counts,
        unseen,
    })
}

struct Asked<'a> {
    client: &'a Client,
    args: &'a UsageOf,
    window: Existing,
    begin: Timestamp,
    now: Timestamp,
    progress: &'a Progress,
}

#[derive(Default)]
struct Region {
    members: Vec<Member>,
    counts: Counts,
    unseen: Vec<Unseen>,
    /// Those of the ids asked for that are here.
    found: Vec<InstanceId>,
}

impl Asked<'_> {
    async fn region(&self, region: String) -> Region {
        let mut seen = Region::default();
        let search = Search::of(&self.args.instances);
        for filters in search.filters() {
            let mut pages = self.client.pages(&region, &filters);
            loop {
                match pages.next().await {
                    Ok(Some(page)) => {
                        for unreadable in page.unreadable {
                            let unseen = Unseen::expected(&region, unreadable.to_string());
                            seen.unseen.push(unseen);
                            seen.found.extend(unreadable.instance_id());
                        }
                        self.page(&region, page.instances, &mut seen).await;
                    }
                    Ok(None) => break,
                    Err(error) => {
                        seen.unseen.push(Unseen::expected(&region, chain(&error)));
                        return seen;
                    }
                }
            }
        }
        seen
    }

    async fn page(&self, region: &str, instances: Vec<Instance>, seen: &mut Region) {
        self.progress.seen(instances.len(), self.client.throttled());
        if !self.args.instances.ids.is_empty() {
            seen.found.extend(instances.iter().map(|i| i.id.clone()));
        }
        let lives = |instance: &Instance| !instance.state.is_some_and(State::is_final);
        let instances: Vec<Instance> = instances.into_iter().filter(lives).collect();
        let ids: Vec<&InstanceId> = instances.iter().map(|instance| &instance.id).collect();
        let metric = if self.args.rejected {
            Metric::NoTokenRejected
        } else {
            Metric::NoToken
        };
        let window = (self.begin, self.now);
        let read = self.client.datapoints(region, metric, &ids, window).await;
        let answer = read.map_err(|error| {
            seen.unseen.push(Unseen::expected(region, chain(&error)));
            error.cause()
        });
        for instance in instances {
            let closed = self.args.instances.ids.is_empty() && is_closed(&instance);
            let member = self.member(instance, &answer);
            // Where nothing can use it any more, only calls of before are worth a line.
            if closed && !self.args.rejected && member.verdict.some() != Some(true) {
                seen.counts.closed += 1;
                continue;
            }
            seen.counts.add(&member.verdict);
            if !self.args.rejected || member.verdict.some() == Some(true) {
                seen.members.push(member);
            }
        }
    }

    fn member(&self, instance: Instance, answer: &Answer) -> Member {
        let points = answer.as_ref().ok().and_then(|of| of.get(&instance.id));
        let points = points.map_or(&[][..], Vec::as_slice);
        let (verdict, calls, last_at) = if self.args.rejected {
            let breaking = Breaking::judge(points);
            let verdict = match answer {
                Ok(_) => Refused::judge(breaking.as_ref(), !points.is_empty()),
                Err(why) => Refused::Unknown {
                    because: NotKnown::Unreadable(why.clone()),
                },
            };
            let none = (verdict == Refused::None).then_some(0);
            let calls = breaking.as_ref().map(|breaking| breaking.calls).or(none);
            let last_at = breaking.map(|breaking| breaking.last_at);
            (Verdict::Refused(verdict), calls, last_at)
        } else {
            let usage = Usage::of(&instance, answer, &self.window, self.now);
            let (calls, last_at) = match usage {
                Usage::InUse { calls, last_at } => (Some(calls), Some(last_at)),
                Usage::Unused { .. } => (Some(0), None),
                Usage::Unknown { .. } => (None, None),
            };
            (Verdict::Usage(usage), calls, last_at)
        };
        Member {
            days: by_day(points, self.begin, self.args.days),
            name: instance.tags.get("Name").cloned(),
            account: instance.account,
            region: instance.region,
            instance_id: instance.id,
            state: instance.state,
            http_tokens: instance.options.http_tokens,
            calls,
            last_at,
            verdict,
            way_back: None,
        }
    }
}

/// Calls without a token are not answered there.
fn is_closed(instance: &Instance) -> bool {
    instance.options.http_tokens == Some(HttpTokens::Required)
        || instance.options.http_endpoint == Some(Toggle::Disabled)
}

type Answer = Result<BTreeMap<InstanceId, Vec<Datapoint>>, String>;
