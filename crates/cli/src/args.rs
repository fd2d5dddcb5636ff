//! The arguments of the command.

mod defaults;
mod diff;
mod enforce;
mod exempt;
mod explain;
mod journals;
mod pause;
mod report;
mod rollback;
mod scan;
mod usage;
mod values;

use std::path::{Path, PathBuf};

use clap::builder::styling::{Style, Styles};
use clap::{Args, Parser, Subcommand};
use imds_core::instance::{InstanceId, State};
use imds_core::options::HopLimit;
use imds_engine::{InstanceFilter, RegionSelection};
use jiff::SignedDuration;

use crate::output::Format;
use crate::quote::quoted;
use values::{duration, hops, instance, region, state, tag, url};

pub(crate) use defaults::{DefaultsOf, DefaultsSet, DefaultsWish};
pub(crate) use diff::{DiffArgs, DiffFormat};
pub(crate) use enforce::EnforceArgs;
pub(crate) use exempt::{ExemptArgs, ExemptOf};
pub(crate) use explain::ExplainArgs;
pub(crate) use journals::JournalsArgs;
pub(crate) use pause::{PauseArgs, PauseOf, PausedRegions};
pub(crate) use report::ReportArgs;
pub(crate) use rollback::RollbackArgs;
pub(crate) use scan::{Only, ScanArgs};
pub(crate) use usage::UsageArgs;

/// No colours, because the first 16 depend on the terminal's theme, and yellow cannot be read on white.
const STYLES: Styles = Styles::styled()
    .error(Style::new().bold())
    .valid(Style::new().bold())
    .invalid(Style::new().bold());

/// Finds EC2 instances that answer IMDSv1, enforces IMDSv2 on them, and rolls it back.
///
/// Exit codes: 0 all compliant or all done; 1 violations found; 2 wrong usage, policy or
/// credentials; 3 something failed or could not be described.
#[derive(Debug, Parser)]
#[command(
    name = "imdsctl",
    version,
    propagate_version = true,
    max_term_width = 100,
    styles = STYLES
)]
#[command(after_help = "Examples:
  imdsctl scan                               every instance of every region
  imdsctl scan --usage --only violations     what is not compliant, and whether IMDSv1 is used there
  imdsctl enforce --unused-only --dry-run    what could be enforced without breaking anything
  imdsctl enforce --unused-only              the same, applied after confirmation
  imdsctl usage --rejected                   whose calls fail since then
  imdsctl rollback JOURNAL                   everything rolled back")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The account and the endpoint.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The AWS CLI profile to use; its credentials take precedence over the environment's
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The endpoint of all AWS services, for tests and private endpoints
    #[arg(long, global = true, value_name = "URL", value_parser = url)]
    pub(crate) endpoint_url: Option<String>,
    /// The function's state table, in which people exempt and pause [default: IMDS_STATE_TABLE]; a name is
    /// that of a table in the region of AWS_REGION or the profile
    #[arg(long, global = true, value_name = "NAME|ARN")]
    pub(crate) state_table: Option<String>,
    /// Give up on what AWS has not answered after this time, such as 90s, 5m or 1h [default: no
    /// limit]. Changes in flight are finished; what is missing is named, and the exit code is 3.
    /// Waiting for a confirmation does not count
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<SignedDuration>,
    /// Print each HTTP request to standard error: its time, service, action, region, status, duration,
    /// request id and attempt; never credentials
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

impl Connection {
    /// The options as they were typed, for commands to paste; starts with a space unless empty.
    pub(crate) fn words(&self) -> String {
        let profile = self.profile.iter().map(|name| ("--profile", name));
        let url = self.endpoint_url.iter().map(|url| ("--endpoint-url", url));
        let table = self.state_table.iter().map(|it| ("--state-table", it));
        let words = profile.chain(url).chain(table);
        words
            .map(|(option, value)| format!(" {option} {}", quoted(Path::new(value))))
            .collect()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows every instance and its violations; changes nothing
    Scan(ScanArgs),
    /// Enforces the policy: scans, shows the plan, asks, applies it, and waits until EC2 has applied it
    Enforce(EnforceArgs),
    /// Shows who used IMDSv1, or whose calls are rejected now
    Usage(UsageArgs),
    /// Rolls back the changes that a journal, or reports of the function, recorded
    Rollback(RollbackArgs),
    /// Shows what was changed from here: when, by whom, and whether it was rolled back; calls no AWS API
    Journals(JournalsArgs),
    /// Exempts instances, for the function and for this command, until a time
    Exempt(ExemptArgs),
    /// Pauses the account or a region: the function and this command report instead of acting
    Pause(PauseArgs),
    /// Shows what changed between two reports: what is new, reopened, remediated, or gone
    Diff(DiffArgs),
    /// Joins reports, for example of several accounts, into one
    Report(ReportArgs),
    /// Explains what the function would do with an event and why, rule by rule; calls no AWS API
    Explain(ExplainArgs),
    /// Checks a policy, or prints the schema of policies
    #[command(subcommand)]
    Policy(PolicyOf),
    /// Prints the JSON Schema of what `scan`, `enforce` and `report` print with `--format json`
    ReportSchema {
        /// Print that of what `diff` prints instead
        #[arg(long)]
        diff: bool,
    },
    /// Shows or sets the account's metadata defaults and HttpTokensEnforced, region by region
    #[command(subcommand)]
    Defaults(DefaultsOf),
    /// Checks credentials, regions and permissions
    Doctor(DoctorArgs),
    /// Prints completions for a shell
    #[command(after_help = "Example:
  imdsctl completions bash > ~/.local/share/bash-completion/completions/imdsctl")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Prints the manual page
    #[command(after_help = "Example:
  imdsctl man > ~/.local/share/man/man1/imdsctl.1
  imdsctl man --folder ~/.local/share/man/man1     one page for each command")]
    Man {
        /// Write a page for each command into this folder instead
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

/// The regions to work on.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Regions")]
pub(crate) struct Regions {
    /// Only these regions; repeat it, or separate regions with commas [default: all enabled regions]
    #[arg(id = "region", long = "region", value_name = "REGION", value_delimiter = ',', value_parser = region)]
    pub(crate) only: Vec<String>,
    /// Exclude these regions; repeat it, or separate regions with commas
    #[arg(id = "exclude_region", long = "exclude-region", value_name = "REGION", value_delimiter = ',', value_parser = region)]
    pub(crate) exclude: Vec<String>,
    /// How many regions to scan concurrently
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) concurrency: u16,
    /// One region after another, for debugging
    #[arg(long, conflicts_with = "concurrency")]
    pub(crate) sequential: bool,
}

impl Regions {
    /// The selection of regions for the engine.
    pub(crate) fn selection(&self) -> RegionSelection {
        RegionSelection {
            only: self.only.clone(),
            exclude: self.exclude.clone(),
            at_once: if self.sequential {
                1
            } else {
                usize::from(self.concurrency)
            },
        }
    }
}

/// The instances to work on.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Instances")]
pub(crate) struct Instances {
    /// Only these instances; repeat it, or separate ids with commas
    #[arg(id = "instance", long = "instance", value_name = "ID", value_delimiter = ',', value_parser = instance)]
    pub(crate) ids: Vec<InstanceId>,
    /// Only instances with this tag; `*` and `?` are wildcards. If repeated, all keys must match, and
    /// any of the values of a key
    #[arg(id = "tag", long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
    /// Only instances in this state: pending, running, stopping, stopped, shutting-down, terminated
    #[arg(id = "state", long = "state", value_name = "STATE", value_delimiter = ',', value_parser = state)]
    pub(crate) states: Vec<State>,
}

impl Instances {
    /// The filter of instances for the engine.
    pub(crate) fn filter(&self) -> InstanceFilter {
        InstanceFilter {
            ids: self.ids.clone(),
            ids_by_region: None,
            tags: self.tags.clone(),
            states: self.states.clone(),
        }
    }
}

/// What is required.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Policy")]
pub(crate) struct Required {
    /// The policy [default: tokens are required]
    #[arg(long, value_name = "FILE", conflicts_with = "hop_limit")]
    pub(crate) policy: Option<PathBuf>,
    /// Also require at least this hop limit, 1 to 64: containers on a bridge network need 2. It is never
    /// lowered; a policy can do that
    #[arg(long, value_name = "N", value_parser = hops)]
    pub(crate) hop_limit: Option<HopLimit>,
}

/// The output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// The output format [default: by the ending of the file; table on standard output]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Write to this file instead of standard output. Repeat it to write several formats, by their
    /// endings: .txt, .json, .csv, .html, .md, .asff.json, .ocsf.json
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,
    /// Show this tag in the table and in HTML, and totals by its values; can be repeated. JSON and CSV have
    /// all tags
    #[arg(long = "show-tag", value_name = "KEY")]
    pub(crate) show_tags: Vec<String>,
}

impl Output {
    /// Whether people read it on standard output.
    pub(crate) fn is_for_people(&self) -> bool {
        self.output.is_empty() && self.format.unwrap_or(Format::Table) == Format::Table
    }
}

/// Writing into the state table.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Applying")]
pub(crate) struct Write {
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Applying changes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Applying")]
pub(crate) struct Act {
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The file that records every change, for `imdsctl rollback` [default: a new file in the platform's
    /// state folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
}

/// The output of a command without rows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct PlainOutput {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyOf {
    /// Reports all errors of a policy, or summarizes it
    Check {
        /// The policy; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Prints the JSON Schema of policies, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) regions: Regions,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
