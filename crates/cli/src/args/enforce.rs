//! The arguments of `imdsctl enforce`.

use std::path::PathBuf;

use clap::Args;

use super::{Act, Connection, Instances, Output, Regions, Required};
use crate::scope::Scope;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl enforce --dry-run                  the plan; changes nothing
  imdsctl enforce --unused-only              only where IMDSv1 was not used for 14 days
  imdsctl enforce --plan-out plan.json       write the plan for a review, and
  imdsctl enforce --plan plan.json           apply what was reviewed
  imdsctl enforce --policy policy.json --region-by-region --limit 50")]
pub(crate) struct EnforceArgs {
    /// Only where IMDSv1 was not used in the last DAYS days (14 if omitted); unknown is not unused
    #[arg(long, value_name = "DAYS", num_args = 0..=1, default_missing_value = "14", value_parser = clap::value_parser!(u8).range(1..=63))]
    pub(crate) unused_only: Option<u8>,
    /// At most N instances, in the order of the plan
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Finish one region before starting the next
    #[arg(long)]
    pub(crate) region_by_region: bool,
    /// Do not wait until EC2 has applied the options
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Write the plan to this file and change nothing
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(crate) plan_out: Option<PathBuf>,
    /// Apply the plan in this file; an instance that changed since is skipped
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "hop_limit", "unused_only", "instance", "tag", "state", "region", "exclude_region"])]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) regions: Regions,
    #[command(flatten)]
    pub(crate) instances: Instances,
    #[command(flatten)]
    pub(crate) required: Required,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) act: Act,
}

impl EnforceArgs {
    /// What the command was asked to look at.
    pub(crate) fn scope(&self, connection: &Connection) -> Scope {
        Scope {
            connection: connection.clone(),
            regions: self.regions.clone(),
            instances: self.instances.clone(),
            required: self.required.clone(),
            show_tags: self.output.show_tags.clone(),
            plan: self.plan.clone(),
            only: None,
        }
    }
}
