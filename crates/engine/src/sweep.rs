//! A sweep: every instance of every region, whatever events said or did not say.

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use imds_core::chain::chain;
use imds_core::decide::Because;
use imds_core::event::Sweep;
use imds_core::report::{InstanceReport, Report, Summary, Trigger, Unreachable};
use imds_core::state::Pause;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use crate::engine::Engine;
use crate::lease::Lease;
use crate::read_region::{IfDenied, REGIONS_READ_AT_ONCE, ReadRegion};
use crate::sweep_region::SweptRegion;

/// Instances listed in a report: an asynchronous invocation sends on at most 1 MB.
const LISTED: usize = 1000;

impl Engine<'_> {
    /// Sweeps all regions: reads them side by side, then handles what was found; `on_region` gets each region
    /// as soon as it is done. `home`: the function's own region, which knows the others. `holder`: what
    /// distinguishes this sweep from others, of which one at a time runs for an account.
    pub async fn sweep(
        &self,
        sweep: Sweep,
        home: &str,
        holder: &str,
        on_region: impl Fn(&SweptRegion),
    ) -> Report {
        let account = sweep.account.clone();
        let lease = match self.lease(holder).await {
            Lease::Held(why) => return Report::ignored(account, None, why),
            lease => lease,
        };
        let named = sweep.regions.is_some();
        let regions = match sweep.regions {
            Some(regions) => Ok(regions),
            None => self.enabled_regions(home).await,
        };
        let mut swept = Swept::default();
        match regions {
            Ok(regions) => {
                let named = if named { Named::Yes } else { Named::No(home) };
                self.sweep_regions(&regions, named, &mut swept, on_region)
                    .await;
            }
            Err(error) => swept.unreachable.push(Unreachable::fatal("all", error)),
        }
        let complete = !swept.unreachable.iter().any(|region| region.fatal);
        let first_of_day = self.release(lease, holder, complete).await;
        Report {
            first_of_day,
            ..swept.report(account)
        }
    }

    async fn sweep_regions(
        &self,
        regions: &[String],
        named: Named<'_>,
        swept: &mut Swept,
        on_region: impl Fn(&SweptRegion),
    ) {
        match self.pauses(regions).await {
            Ok(pauses) => swept.paused = pauses.into_iter().next(),
            // Where something is to be done, it fails.
            Err(error) => tracing::warn!("could not read the pauses: {error}"),
        }
        let (read, brake) = self.read_regions(regions, named).await;
        let handled = read
            .into_iter()
            .map(|region| self.handle_region(region, brake.as_ref()));
        let mut running: FuturesUnordered<_> = handled.collect();
        while let Some(region) = running.next().await {
            on_region(&region);
            swept.add(region);
        }
    }

    /// Why a sweep of these regions would leave existing instances alone, and what it could not observe. It
    /// changes nothing. `home`: a region that is known to be open; the others may be closed.
    #[cfg(feature = "command")]
    pub async fn observe_brake(
        &self,
        regions: &[String],
        home: &str,
    ) -> (Option<Because>, Vec<Unreachable>) {
        let (read, brake) = self.read_regions(regions, Named::No(home)).await;
        let unreachable = read.into_iter().flat_map(|read| read.swept.unreachable);
        (brake, unreachable.collect())
    }

    /// Reads the regions, and finds out why existing instances of the account are left alone, if they are.
    async fn read_regions(
        &self,
        regions: &[String],
        named: Named<'_>,
    ) -> (Vec<ReadRegion>, Option<Because>) {
        let reading = Semaphore::new(REGIONS_READ_AT_ONCE);
        let read = regions
            .iter()
            .map(|region| self.read_region(region, named.if_denied(region), &reading));
        let read = join_all(read).await;
        let brake = self.brake(&read);
        (read, brake)
    }

    /// Why existing instances of the account are left alone.
    fn brake(&self, read: &[ReadRegion]) -> Option<Because> {
        if !self.policy.existing.stop_when_rejected {
            return None;
        }
        let rejected = read.iter().flat_map(|region| region.rejected()).min();
        let mut errors = read.iter().filter_map(|region| region.watch_error.as_ref());
        match (rejected, errors.next()) {
            (Some(id), _) => Some(Because::RejectedOn(id.clone())),
            (None, Some(error)) => Some(Because::RejectedUnknown(error.clone())),
            (None, None) => None,
        }
    }

    async fn enabled_regions(&self, home: &str) -> Result<Vec<String>, String> {
        let call = self.client.enabled_regions(home);
        match timeout_at(self.deadline.observe, call).await {
            Ok(answer) => answer.map_err(|error| chain(&error)),
            Err(_elapsed) => {
                Err("the enabled regions are not known before the deadline".to_owned())
            }
        }
    }
}

/// Whether the sweep names its regions; else the function's own is known to be open to it.
#[derive(Clone, Copy)]
enum Named<'a> {
    Yes,
    No(&'a str),
}

impl Named<'_> {
    fn if_denied(self, region: &str) -> IfDenied {
        match self {
            Named::Yes => IfDenied::Fatal,
            // The function's own region is open to it, or else nothing can be.
            Named::No(home) if region == home => IfDenied::Fatal,
            Named::No(_) => IfDenied::Reported,
        }
    }
}

/// All regions that are done.
#[derive(Default)]
struct Swept {
    summary: Summary,
    instances: Vec<InstanceReport>,
    omitted: usize,
    left: usize,
    unreachable: Vec<Unreachable>,
    paused: Option<Pause>,
}

impl Swept {
    fn add(&mut self, region: SweptRegion) {
        self.summary.add(region.summary);
        self.left += region.left();
        self.instances.extend(region.instances);
        // The worst first, because the list is cut.
        self.instances
            .sort_by_key(|instance| std::cmp::Reverse(instance.outcome));
        self.omitted += self.instances.len().saturating_sub(LISTED) + region.not_evaluated;
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
            left: self.left,
            paused: self.paused,
            ..report
        }
    }
}
