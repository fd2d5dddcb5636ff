//! A sweep: every instance of every region, whatever events said or did not say.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use imds_core::chain::chain;
use imds_core::event::Sweep;
use imds_core::report::{InstanceReport, Report, Summary, Trigger, Unreachable};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use crate::engine::Engine;
use crate::sweep_region::{IfDenied, REGIONS_READ_AT_ONCE, SweptRegion};

/// Instances listed in a report: an asynchronous invocation sends on at most 1 MB.
const LISTED: usize = 1000;

impl Engine<'_> {
    /// Sweeps all regions side by side; `on_region` gets each as soon as it is done. `home`: the
    /// function's own region, which knows the others.
    pub async fn sweep(
        &self,
        sweep: Sweep,
        home: &str,
        on_region: impl Fn(&SweptRegion),
    ) -> Report {
        let named = sweep.regions.is_some();
        let regions = match sweep.regions {
            Some(regions) => regions,
            None => match self.enabled_regions(home).await {
                Ok(regions) => regions,
                Err(error) => {
                    let unreachable = vec![Unreachable::fatal("all", error)];
                    return Report::new(Trigger::Sweep, sweep.account, None, vec![], unreachable);
                }
            },
        };
        let reading = Semaphore::new(REGIONS_READ_AT_ONCE);
        let mut running: FuturesUnordered<_> = regions
            .iter()
            .map(|region| {
                // The function's own region is open to it, or else nothing can be.
                let if_denied = if named || region == home {
                    IfDenied::Fatal
                } else {
                    IfDenied::Reported
                };
                self.sweep_region(region, if_denied, &reading)
            })
            .collect();
        let mut swept = Swept::default();
        while let Some(region) = running.next().await {
            on_region(&region);
            swept.add(region);
        }
        swept.report(sweep.account)
    }

    async fn enabled_regions(&self, home: &str) -> Result<Vec<String>, String> {
        let call = self.client.enabled_regions(home);
        match timeout_at(self.deadline.act, call).await {
            Ok(answer) => answer.map_err(|error| chain(&error)),
            Err(_elapsed) => {
                Err("the enabled regions are not known before the deadline".to_owned())
            }
        }
    }
}

/// All regions that are done.
#[derive(Default)]
struct Swept {
    summary: Summary,
    instances: Vec<InstanceReport>,
    omitted: usize,
    unreachable: Vec<Unreachable>,
}

impl Swept {
    fn add(&mut self, region: SweptRegion) {
        self.summary.add(region.summary);
        self.instances.extend(region.instances);
        // The worst first, because the list is cut.
        self.instances
            .sort_by_key(|instance| std::cmp::Reverse(instance.outcome));
        self.omitted += self.instances.len().saturating_sub(LISTED) + region.left;
        self.instances.truncate(LISTED);
        self.unreachable.extend(region.unreachable);
    }

    fn report(mut self, account: Option<String>) -> Report {
        self.unreachable.sort_by(|a, b| a.region.cmp(&b.region));
        let report = Report::new(
            Trigger::Sweep,
            account,
            None,
            self.instances,
            self.unreachable,
        );
        Report {
            summary: self.summary,
            omitted: self.omitted,
            ..report
        }
    }
}
