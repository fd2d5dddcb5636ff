//! The arguments of `imdsctl enforce`.

use std::path::PathBuf;

use clap::Args;
use imds_core::policy::Policy;
use jiff::SignedDuration;

use super::values::duration;
use super::{Act, Connection, Instances, Output, Regions, Required};
use crate::plan_file::UsageBasis;
use crate::scope::Scope;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl enforce --dry-run                  the plan; changes nothing
  imdsctl enforce --unused-only              only where IMDSv1 was not used for 14 days
  imdsctl enforce --policy policy.json       as the policy says, by the use of IMDSv1 too
  imdsctl enforce --unused-only --plan-out plan.json     write the plan for a review, and
  imdsctl enforce --plan plan.json                       apply what was reviewed
  imdsctl enforce --unused-only --canary 5 --pause 30m   five first, then the others
  imdsctl enforce --policy policy.json --region-by-region --limit 50")]
pub(crate) struct EnforceArgs {
    /// Only where IMDSv1 was not used in the last DAYS days (14 if omitted), whatever the policy allows;
    /// unknown is not unused
    #[arg(long, value_name = "DAYS", num_args = 0..=1, default_missing_value = "14", value_parser = clap::value_parser!(u8).range(1..=63))]
    pub(crate) unused_only: Option<u8>,
    /// Enforce whether IMDSv1 is used or not. With --yes and without --policy or --unused-only, this is
    /// needed where software may fail
    #[arg(long, conflicts_with_all = ["unused_only", "user_data"])]
    pub(crate) ignore_usage: bool,
    /// Leave out instances whose user data calls the metadata service without a token; takes one API call
    /// per instance
    #[arg(long)]
    pub(crate) user_data: bool,
    /// At most N instances, in the order of the plan
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Enforce N instances first, of as many launch sources as possible; go on after --pause, and only if
    /// no call was rejected on them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) canary: Option<u32>,
    /// How long to observe the canaries, such as 15m or 1h [default: 15m]. CloudWatch shows calls only
    /// minutes later
    #[arg(long, value_name = "TIME", requires = "canary", value_parser = duration)]
    pub(crate) pause: Option<SignedDuration>,
    /// Finish one region before starting the next
    #[arg(long)]
    pub(crate) region_by_region: bool,
    /// Do not wait until EC2 has applied the options
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Write the plan to this file and change nothing
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(crate) plan_out: Option<PathBuf>,
    /// Apply the plan in this file. An instance that changed since is skipped, and where the plan is based
    /// on the use of IMDSv1, also one that uses it by now
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "hop_limit", "unused_only", "user_data", "instance", "tag", "state", "region", "exclude_region"])]
    pub(crate) plan: Option<PathBuf>,
    /// Refuse a plan that is older than DAYS days [default: 7]
    #[arg(long, value_name = "DAYS", requires = "plan", value_parser = clap::value_parser!(u16).range(1..=365))]
    pub(crate) max_plan_age: Option<u16>,
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
    /// How long the canaries are observed; `None`: there are none.
    pub(crate) fn canaries(&self) -> Option<(usize, SignedDuration)> {
        let most = usize::try_from(self.canary?).unwrap_or(usize::MAX);
        let pause = self.pause.unwrap_or(SignedDuration::from_mins(15));
        Some((most, pause))
    }

    /// The most days that a plan may be old.
    pub(crate) fn max_plan_age(&self) -> u16 {
        self.max_plan_age.unwrap_or(7)
    }

    /// What is asked of the use of IMDSv1, by a policy or by the arguments.
    pub(crate) fn usage_basis(&self, policy: &Policy) -> UsageBasis {
        match self.unused_only {
            Some(days) => UsageBasis::UnusedOnly { days },
            None if self.ignore_usage => UsageBasis::Ignored,
            None if self.required.policy.is_some() => UsageBasis::Policy {
                days: policy.existing.usage_window_days,
            },
            None => UsageBasis::NotAsked,
        }
    }

    /// What the command was asked to look at.
    pub(crate) fn scope(&self, connection: &Connection) -> Scope {
        let (regions, instances) = (&self.regions, &self.instances);
        Scope {
            plan: self.plan.clone(),
            ..Scope::new(connection, regions, instances, &self.required, &self.output)
        }
    }
}
