//! Scans a fleet: all regions side by side, a page of instances at a time.

mod filter;
mod launchers;
mod region;
mod scanned;
mod templates;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join;
use imds_aws::{CallError, Client, Fault};
use imds_core::decide::{Decision, Discovery, Question, UsageGate};
use imds_core::plan::Plan;
use imds_core::policy::Policy;
use imds_core::report::Unreachable;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use crate::regions::{OnProgress, Progress, RegionSelection, RegionsError};
use region::RegionScan;

pub use filter::InstanceFilter;
pub use scanned::{
    RegionDefaults, RegionTotal, ScanDecision, ScannedInstance, ScannedTemplate, TemplateKind,
    UnneededExemption,
};

/// What to scan.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// Which regions.
    pub regions: RegionSelection,
    /// Which instances.
    pub instances: InstanceFilter,
    /// What decides about them.
    pub policy: Policy,
    /// What is kept of them.
    pub keep: Keep,
    /// The days over which the use of IMDSv1 is asked for.
    pub usage_days: Option<u8>,
    /// What else is scanned.
    pub include: Include,
    /// The time of the scan.
    pub now: Timestamp,
}

/// What is kept of the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Every instance.
    All,
    /// Those that are not compliant, and those whose user data calls IMDS without a token.
    Violations,
    /// Every instance, and a plan that enforces the options of those that are not compliant, as far as their
    /// use of IMDSv1 allows. Use is asked for only where that depends on it.
    Plan(UsageGate),
}

impl ScanOptions {
    fn discovery(&self) -> Discovery {
        match self.keep {
            Keep::All | Keep::Violations => Discovery::Request(UsageGate::Ignored),
            Keep::Plan(gate) => Discovery::Request(gate),
        }
    }

    /// Whether the use of IMDSv1 is asked for: on compliant instances it is rejected.
    fn asks_usage(&self, decision: &Decision) -> bool {
        match self.keep {
            Keep::All | Keep::Violations => decision.non_compliant().is_some(),
            Keep::Plan(_) => decision.question() == Some(Question::Usage),
        }
    }
}

/// What is scanned besides instances.
#[derive(Debug, Clone, Copy, Default)]
pub struct Include {
    /// Launch templates and launch configurations, if any.
    pub templates: Option<KeptTemplates>,
    /// The account's metadata defaults.
    pub defaults: bool,
    /// User data.
    pub user_data: bool,
}

/// Which launch templates and launch configurations are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptTemplates {
    /// Those whose user data calls IMDS without a token.
    WithCalls,
    /// All; with [`Keep::Violations`], those that are not compliant or have such calls.
    All,
}

/// What a scan found.
#[derive(Debug)]
pub struct Scan {
    /// The account, 12 digits, or why it is not known.
    pub account: Result<String, CallError>,
    /// The totals of every region, in the order of their names.
    pub regions: Vec<RegionTotal>,
    /// The instances, region by region.
    pub instances: Vec<ScannedInstance>,
    /// What to do, with [`Keep::Plan`].
    pub plan: Plan,
    /// What could not be described.
    pub unreachable: Vec<Unreachable>,
    /// What launches the next instances.
    pub templates: Vec<ScannedTemplate>,
    /// The account's defaults.
    pub defaults: Vec<RegionDefaults>,
    /// Rules that exempt, and that no instance of the account needs; `None`: not every instance was
    /// described.
    pub unneeded_exemptions: Option<Vec<UnneededExemption>>,
}

/// Why nothing could be scanned.
#[derive(Debug)]
pub enum ScanError {
    /// There are no regions.
    Regions(RegionsError),
    /// AWS does not accept the credentials; in EC2's words that reads like a region that is not
    /// enabled.
    Credentials(CallError),
    /// The task of a region panicked.
    Task(JoinError),
}

/// Scans a fleet. A region that cannot be described keeps none of the others from being scanned.
///
/// # Errors
/// Where not even the regions are known.
pub async fn scan(
    client: &Arc<Client>,
    home: &str,
    options: ScanOptions,
    on_progress: &OnProgress,
) -> Result<Scan, ScanError> {
    let mut tasks = RegionTasks::new(client, options, on_progress);
    if tasks.scans_home(home) {
        tasks.start(home.to_owned());
    }
    let selection = &tasks.options.regions;
    let (regions, identity) = join(selection.resolve(client, home), client.identity(home)).await;
    let account = match identity {
        Err(error) if error.fault == Fault::Credentials => {
            return Err(ScanError::Credentials(error));
        }
        identity => identity.map(|identity| identity.account),
    };
    let regions = regions.map_err(ScanError::Regions)?;
    on_progress(Progress::Regions(regions.len()));
    for region in &regions {
        tasks.start(region.clone());
    }
    let scanned = tasks.finish(&regions).await?;
    Ok(combine(scanned, account, &tasks.options))
}

fn combine(
    mut regions: Vec<RegionScan>,
    account: Result<String, CallError>,
    options: &ScanOptions,
) -> Scan {
    regions.sort_by(|a, b| a.total.region.cmp(&b.total.region));
    let mut scan = Scan {
        account,
        regions: Vec::new(),
        instances: Vec::new(),
        plan: Plan::default(),
        unreachable: Vec::new(),
        templates: Vec::new(),
        defaults: Vec::new(),
        unneeded_exemptions: None,
    };
    let (mut found, mut needed) = (BTreeSet::new(), BTreeSet::new());
    for mut region in regions {
        region.belongs_to(scan.account.as_deref().ok());
        scan.regions.push(region.total);
        scan.instances.extend(region.instances);
        scan.plan.steps.extend(region.steps);
        scan.unreachable.extend(region.unreachable);
        scan.templates.extend(region.templates);
        scan.defaults.extend(region.defaults);
        found.extend(region.found);
        needed.extend(region.needed_exemptions);
    }
    scan.unreachable.extend(options.instances.missing(&found));
    let regions = &options.regions;
    let is_whole = regions.only.is_empty() && regions.exclude.is_empty();
    if is_whole && options.instances.is_empty() && scan.unreachable.is_empty() {
        let account = scan.account.as_deref().ok();
        let rules = options.policy.exemptions(account, options.now);
        let unneeded = rules.filter(|rule| !needed.contains(&rule.name));
        scan.unneeded_exemptions = Some(unneeded.map(UnneededExemption::from).collect());
    }
    for unreachable in &mut scan.unreachable {
        unreachable.account = scan.account.as_ref().ok().cloned();
    }
    scan
}

/// A task for every region, so that pages are read on all processors.
struct RegionTasks {
    client: Arc<Client>,
    options: Arc<ScanOptions>,
    on_progress: OnProgress,
    permits: Arc<Semaphore>,
    started: BTreeSet<String>,
    running: JoinSet<RegionScan>,
}

impl RegionTasks {
    fn new(client: &Arc<Client>, options: ScanOptions, on_progress: &OnProgress) -> Self {
        RegionTasks {
            client: Arc::clone(client),
            permits: Arc::new(Semaphore::new(options.regions.at_once.max(1))),
            options: Arc::new(options),
            on_progress: Arc::clone(on_progress),
            started: BTreeSet::new(),
            running: JoinSet::new(),
        }
    }

    /// The region that knows the others is enabled itself, and need not wait for the answer.
    fn scans_home(&self, home: &str) -> bool {
        let RegionSelection {
            only,
            exclude,
            at_once,
        } = &self.options.regions;
        only.is_empty() && *at_once > 1 && !exclude.iter().any(|region| region == home)
    }

    /// Once for each region.
    fn start(&mut self, region: String) {
        if !self.started.insert(region.clone()) {
            return;
        }
        let client = Arc::clone(&self.client);
        let (options, on_progress) = (Arc::clone(&self.options), Arc::clone(&self.on_progress));
        let permits = Arc::clone(&self.permits);
        self.running.spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire().await;
            RegionScan::scan(&client, region, &options, &on_progress).await
        });
    }

    async fn finish(&mut self, regions: &[String]) -> Result<Vec<RegionScan>, ScanError> {
        let mut scanned = Vec::new();
        while let Some(task) = self.running.join_next().await {
            let region = task.map_err(ScanError::Task)?;
            if regions.contains(&region.total.region) {
                scanned.push(region);
                (self.on_progress)(Progress::RegionDone);
            }
        }
        Ok(scanned)
    }
}
