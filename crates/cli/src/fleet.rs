//! Looks at the fleet: all regions side by side, a page of instances at a time.

mod launchers;
mod region;
mod search;

pub(crate) use launchers::defaults_row;
pub(crate) use region::row;
pub(crate) use search::Search;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join;
use imds_aws::Client;
use imds_core::chain::chain;
use imds_core::instance::InstanceId;
use imds_core::plan::Step;
use imds_core::policy::Policy;
use imds_core::report::{Summary, Unseen};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::args::{Instances, Regions};
use crate::connect::Connected;
use crate::document::Document;
use crate::error::Problem;
use crate::progress::Progress;

/// What is to be looked at.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    pub(crate) regions: Regions,
    pub(crate) instances: Instances,
    pub(crate) policy: Policy,
    /// Only what is not as required is kept.
    pub(crate) only_violations: bool,
    /// The days over which the use of IMDSv1 is asked.
    pub(crate) usage_days: Option<u8>,
    /// Only instances that did not use it are to be mended.
    pub(crate) unused_only: bool,
    pub(crate) templates: bool,
    pub(crate) defaults: bool,
    pub(crate) user_data: bool,
    /// The steps that set options are kept, to be applied.
    pub(crate) keep_steps: bool,
    /// The time by which all is judged.
    pub(crate) now: Timestamp,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) document: Document,
    /// The steps that set options, region by region.
    pub(crate) steps: Vec<Step>,
}

/// Looks at all of it. A region that cannot be seen keeps none of the others from being seen.
///
/// # Errors
/// Where not even the regions can be told.
pub(crate) async fn look(
    connected: &Connected,
    wishes: Wishes,
    progress: &Arc<Progress>,
) -> Result<Fleet, Problem> {
    let begin = Instant::now();
    let mut tasks = Tasks::of(connected, wishes, progress);
    if tasks.need_not_wait_for(&connected.region) {
        tasks.begin(connected.region.clone());
    }
    let (regions, account) = join(
        connected.regions(&tasks.wishes.regions),
        connected.account(),
    )
    .await;
    // In EC2's words wrong credentials read like a region that is not enabled.
    let account = match account {
        Err(problem @ Problem::Credentials(_)) => return Err(problem),
        account => account,
    };
    let regions = regions?;
    progress.begin("regions", regions.len());
    for region in &regions {
        tasks.begin(region.clone());
    }
    let mut seen = tasks.all_of(&regions).await?;
    let wishes = tasks.wishes;
    progress.end();
    seen.sort_by(|a, b| a.total.region.cmp(&b.total.region));

    let mut summary = Summary::default();
    let mut unseen = Vec::new();
    let mut found = BTreeSet::new();
    let (mut totals, mut rows, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    let (mut templates, mut defaults) = (Vec::new(), Vec::new());
    for region in seen {
        summary.add(region.total.summary);
        totals.push(region.total);
        rows.extend(region.rows);
        steps.extend(region.steps);
        unseen.extend(region.unseen);
        found.extend(region.found);
        templates.extend(region.templates);
        defaults.extend(region.defaults);
    }
    unseen.extend(missing(&wishes.instances.ids, &found));
    let account = match account {
        Ok(account) => Some(account),
        Err(error) => {
            progress.say(&format!("imdsctl: {}", chain(&error)));
            None
        }
    };
    Ok(Fleet {
        document: Document {
            trigger: "scan",
            account,
            at: wishes.now,
            took: begin.elapsed(),
            summary,
            regions: totals,
            unseen,
            rows,
            usage_days: wishes.usage_days,
            user_data: wishes.user_data,
            templates: wishes.templates.then_some(templates),
            defaults: wishes.defaults.then_some(defaults),
        },
        steps,
    })
}

/// A task for every region, so that pages are read on all processors.
struct Tasks {
    client: Arc<Client>,
    wishes: Arc<Wishes>,
    progress: Arc<Progress>,
    /// How many regions at once.
    turns: Arc<Semaphore>,
    begun: BTreeSet<String>,
    running: JoinSet<region::Seen>,
}

impl Tasks {
    fn of(connected: &Connected, wishes: Wishes, progress: &Arc<Progress>) -> Self {
        Tasks {
            client: Arc::clone(&connected.client),
            turns: Arc::new(Semaphore::new(wishes.regions.at_once())),
            wishes: Arc::new(wishes),
            progress: Arc::clone(progress),
            begun: BTreeSet::new(),
            running: JoinSet::new(),
        }
    }

    /// The region that is asked which regions are enabled is enabled itself.
    fn need_not_wait_for(&self, home: &str) -> bool {
        let Regions { only, exclude, .. } = &self.wishes.regions;
        let excluded = exclude.iter().any(|region| region == home);
        only.is_empty() && !excluded && !self.wishes.regions.sequential
    }

    /// Once for each.
    fn begin(&mut self, region: String) {
        if !self.begun.insert(region.clone()) {
            return;
        }
        let client = Arc::clone(&self.client);
        let (wishes, progress) = (Arc::clone(&self.wishes), Arc::clone(&self.progress));
        let turns = Arc::clone(&self.turns);
        self.running.spawn(async move {
            // Nobody closes the semaphore.
            let _turn = turns.acquire().await;
            region::look(client, region, wishes, progress).await
        });
    }

    /// What these regions hold.
    async fn all_of(&mut self, regions: &[String]) -> Result<Vec<region::Seen>, Problem> {
        let mut seen = Vec::new();
        while let Some(task) = self.running.join_next().await {
            let region =
                task.map_err(|error| Problem::Failed(format!("a region was left: {error}")))?;
            if regions.contains(&region.total.region) {
                seen.push(region);
                self.progress.done();
            }
        }
        Ok(seen)
    }
}

/// An instance that was asked for and is nowhere.
pub(crate) fn missing(asked: &[InstanceId], found: &BTreeSet<InstanceId>) -> Vec<Unseen> {
    let missing = asked.iter().filter(|id| !found.contains(*id));
    missing
        .map(|id| Unseen::expected("all", format!("{id} is in none of these regions")))
        .collect()
}

impl Connected {
    /// The regions to look at, in the order of their names.
    pub(crate) async fn regions(&self, wanted: &Regions) -> Result<Vec<String>, Problem> {
        let mut regions = if wanted.only.is_empty() {
            self.client
                .enabled_regions(&self.region)
                .await
                .map_err(Problem::Regions)?
        } else {
            wanted.only.clone()
        };
        regions.sort();
        regions.dedup();
        regions.retain(|region| !wanted.exclude.contains(region));
        if regions.is_empty() {
            return Err(Problem::NoRegions);
        }
        Ok(regions)
    }
}

/// The client, to be shared by tasks.
pub(crate) type Shared = Arc<Client>;
