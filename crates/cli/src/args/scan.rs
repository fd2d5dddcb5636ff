//! The arguments of `imdsctl scan`.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::{Connection, Instances, Output, Regions, Required};
use crate::scope::Scope;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl scan
  imdsctl scan --region eu-central-1,eu-west-1 --tag app='web-*' --state running
  imdsctl scan --usage 30 --only violations
  imdsctl scan --show-tag team               who owns the non-compliant instances
  imdsctl scan --templates --defaults --user-data --usage --output fleet.html --output fleet.json
  imdsctl scan --output fleet.asff.json      findings for AWS Security Hub")]
pub(crate) struct ScanArgs {
    /// Show only these instances
    #[arg(long, value_enum)]
    pub(crate) only: Option<Only>,
    /// Show how non-compliant instances used IMDSv1 in the last DAYS days (14 if omitted), from
    /// CloudWatch's MetadataNoToken
    #[arg(long, value_name = "DAYS", num_args = 0..=1, default_missing_value = "14", value_parser = clap::value_parser!(u8).range(1..=63))]
    pub(crate) usage: Option<u8>,
    /// Show launch configurations and launch templates (the default and the latest version, and those that
    /// Auto Scaling groups, fleets and instances use), and whether their next instance will be compliant
    #[arg(long)]
    pub(crate) templates: bool,
    /// Show the account's metadata defaults and HttpTokensEnforced
    #[arg(long)]
    pub(crate) defaults: bool,
    /// Show calls to the metadata service without a token in the user data of instances, launch templates
    /// and launch configurations; takes one API call per instance. Where tokens are required, such a call
    /// fails, and counts as a violation
    #[arg(long)]
    pub(crate) user_data: bool,
    #[command(flatten)]
    pub(crate) regions: Regions,
    #[command(flatten)]
    pub(crate) instances: Instances,
    #[command(flatten)]
    pub(crate) required: Required,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Which rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Only {
    /// Those that are not compliant, or whose user data calls the metadata service without a token
    Violations,
}

impl ScanArgs {
    /// What the command was asked to look at.
    pub(crate) fn scope(&self, connection: &Connection) -> Scope {
        let (regions, instances) = (&self.regions, &self.instances);
        Scope {
            only: self.only,
            ..Scope::new(connection, regions, instances, &self.required, &self.output)
        }
    }
}
