//! The regions of an account, side by side.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use imds_aws::{CallError, Client};
use imds_core::region_name;

/// Which regions, and how many of them at once.
#[derive(Debug, Clone)]
pub struct RegionSelection {
    /// Only these; empty: all that are enabled for the account.
    pub only: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
    /// At least 1.
    pub at_once: usize,
}

/// Why there are no regions.
#[derive(Debug)]
pub enum RegionsError {
    /// The enabled regions cannot be described.
    Describe(CallError),
    /// All are excluded.
    NoneLeft,
    /// A region is excluded that is none, so that the one that was meant would not be.
    UnknownExclusion(String),
}

/// The progress of a command.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// So many regions are to be done.
    Regions(usize),
    /// One region is done.
    RegionDone,
    /// So many more instances were described.
    Instances(usize),
    /// So many changes are to be made.
    Changes(usize),
    /// One change is made.
    ChangeDone,
    /// So many changed instances are waited for until EC2 has applied their options.
    WaitingFor(usize),
}

/// Called with the progress of a command.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

impl RegionSelection {
    /// The regions, in the order of their names. `home`: a region that knows the others.
    ///
    /// # Errors
    /// Where the enabled regions cannot be described, or none is left.
    pub async fn resolve(&self, client: &Client, home: &str) -> Result<Vec<String>, RegionsError> {
        let mut regions = if self.only.is_empty() {
            let enabled = client.enabled_regions(home).await;
            enabled.map_err(RegionsError::Describe)?
        } else {
            self.only.clone()
        };
        regions.sort();
        regions.dedup();
        let is_region = |name: &String| regions.contains(name) || region_name::is_known(name);
        if let Some(unknown) = self.exclude.iter().find(|name| !is_region(name)) {
            return Err(RegionsError::UnknownExclusion(unknown.clone()));
        }
        regions.retain(|region| !self.exclude.contains(region));
        if regions.is_empty() {
            return Err(RegionsError::NoneLeft);
        }
        Ok(regions)
    }

    /// Does the same in every region; the results are in the order of the regions.
    pub async fn side_by_side<R, T, F: Future<Output = T>>(
        &self,
        regions: impl ExactSizeIterator<Item = R>,
        on_progress: &OnProgress,
        each: impl Fn(R) -> F,
    ) -> Vec<T> {
        on_progress(Progress::Regions(regions.len()));
        let tasks = regions.enumerate().map(|(place, region)| {
            let task = each(region);
            async move { (place, task.await) }
        });
        let mut done: Vec<(usize, T)> = stream::iter(tasks)
            .buffer_unordered(self.at_once.max(1))
            .inspect(|_| on_progress(Progress::RegionDone))
            .collect()
            .await;
        done.sort_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, result)| result).collect()
    }
}
