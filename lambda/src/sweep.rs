//! A sweep: every instance of every region, whatever events did or did not tell.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use imds_aws::{Bounds, CallError, Fault, Remember, Swept, sweep_region};
use imds_core::chain::chain;
use imds_core::event::Sweep;
use imds_core::report::{InstanceReport, Report, Summary, Trigger, Unseen};
use tokio::time::timeout_at;

use crate::handle::Job;
use crate::{log, metrics};

/// Instances listed in a report: what is sent on after an asynchronous invocation is at most 1 MB.
const LISTED: usize = 1000;

impl Job<'_> {
    pub(crate) async fn sweep(&self, sweep: Sweep) -> Report {
        let named = sweep.regions.is_some();
        let regions = match sweep.regions {
            Some(regions) => regions,
            None => match self.enabled_regions().await {
                Ok(regions) => regions,
                Err(error) => {
                    let unseen = vec![Unseen::expected("all", error)];
                    return Report::new(Trigger::Sweep, sweep.account, None, vec![], unseen);
                }
            },
        };
        let watch = self.config.policy.existing.watch_days > 0;
        let terms = self.terms(if watch {
            Remember::Watch
        } else {
            Remember::Nothing
        });
        let bounds = Bounds::default();
        let mut side_by_side: FuturesUnordered<_> = regions
            .iter()
            .map(|region| async {
                let policy = &self.config.policy;
                (
                    region.as_str(),
                    sweep_region(self.client(), region, policy, terms, &bounds).await,
                )
            })
            .collect();
        let mut whole = Whole::default();
        while let Some((region, swept)) = side_by_side.next().await {
            // The function's own region is open to it, or else nothing can be.
            let expected = named || region == self.config.region;
            let unseen = unseen(region, &swept, expected);
            log::instances(&swept.instances, Trigger::Sweep, self.request_id);
            metrics::region(region, &swept, unseen.is_empty(), self.now());
            whole.add(swept, unseen);
        }
        whole.report(sweep.account)
    }

    async fn enabled_regions(&self) -> Result<Vec<String>, String> {
        let until = self.terms(Remember::Nothing).deadline.act;
        let read = self.client().enabled_regions(&self.config.region);
        match timeout_at(until, read).await {
            Ok(answer) => answer.map_err(|error| chain(&error)),
            Err(_elapsed) => {
                Err("the enabled regions were not told before the deadline".to_owned())
            }
        }
    }
}

#[derive(Default)]
struct Whole {
    summary: Summary,
    instances: Vec<InstanceReport>,
    omitted: usize,
    unseen: Vec<Unseen>,
}

impl Whole {
    fn add(&mut self, swept: Swept, unseen: Vec<Unseen>) {
        self.summary.add(swept.summary);
        self.instances.extend(swept.instances);
        // The worst first, for the list is cut.
        self.instances
            .sort_by_key(|instance| std::cmp::Reverse(instance.outcome));
        self.omitted += self.instances.len().saturating_sub(LISTED) + swept.left;
        self.instances.truncate(LISTED);
        self.unseen.extend(unseen);
    }

    fn report(mut self, account: Option<String>) -> Report {
        self.unseen.sort_by(|a, b| a.region.cmp(&b.region));
        let report = Report::new(Trigger::Sweep, account, None, self.instances, self.unseen);
        Report {
            summary: self.summary,
            omitted: self.omitted,
            ..report
        }
    }
}

fn unseen(region: &str, swept: &Swept, expected: bool) -> Vec<Unseen> {
    let mut unseen = swept.nameless.clone();
    if let Some(error) = &swept.unseen {
        let expected = expected || !is_closed(error);
        unseen.push(Unseen {
            region: region.to_owned(),
            error: chain(error),
            expected,
        });
    }
    if swept.late {
        unseen.push(Unseen::expected(
            region,
            "not seen to its end before the deadline".to_owned(),
        ));
    }
    if swept.left > 0 {
        let left = format!("{} wrong instances are left for the next sweep", swept.left);
        unseen.push(Unseen::expected(region, left));
    }
    unseen
}

/// A region that is closed to the account, or to the function, is told, and expected to stay so.
fn is_closed(error: &CallError) -> bool {
    error.fault == Fault::Unauthorized
}
