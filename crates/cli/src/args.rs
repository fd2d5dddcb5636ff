//! What can be typed.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use imds_core::instance::{InstanceId, State};
use imds_core::options::{HopLimit, HttpTokens, Toggle};
use imds_engine::{InstanceFilter, RegionSelection};

use crate::output::Format;
use crate::quote::quoted;

/// Finds EC2 instances that answer IMDSv1, enforcements them, and takes it back.
///
/// Exit codes: 0 all compliant or all done; 1 violations found; 2 wrong usage, policy or
/// credentials; 3 something failed or could not be seen.
#[derive(Debug, Parser)]
#[command(
    name = "imdsctl",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = "Examples:
  imdsctl scan                               every instance of every region
  imdsctl scan --usage --only violations     what is non-compliant, and whether IMDSv1 is used there
  imdsctl enforce --unused-only --dry-run    what could be remediated without breaking anything
  imdsctl enforce --unused-only              the same, done after a question
  imdsctl usage --rejected                   whose calls fail since then
  imdsctl rollback JOURNAL                   all of it taken back")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where, and in whose name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// A profile of the AWS CLI; its credentials come before those of the environment
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Where AWS listens, for all services; for tests and private endpoints
    #[arg(long, global = true, value_name = "URL", value_parser = url)]
    pub(crate) endpoint_url: Option<String>,
}

impl Connection {
    /// As it was typed, for a command that is to be pasted; begins with a blank unless it is empty.
    pub(crate) fn words(&self) -> String {
        let profile = self.profile.iter().map(|name| ("--profile", name));
        let url = self.endpoint_url.iter().map(|url| ("--endpoint-url", url));
        let words = profile.chain(url);
        words
            .map(|(option, value)| format!(" {option} {}", quoted(Path::new(value))))
            .collect()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows every instance and what is non-compliant with it; changes nothing
    Scan(ScanArgs),
    /// Requires tokens where they are not: scans, shows the plan, asks, acts, and waits until it holds
    Enforce(EnforceArgs),
    /// Shows who used IMDSv1, or whose calls are refused now
    Usage(UsageArgs),
    /// Takes back what a journal holds, all options as they were
    Rollback(RollbackArgs),
    /// Tells what the function would do with an event and why, offline and rule by rule
    Explain(ExplainArgs),
    /// Checks a policy, or prints the schema of policies
    #[command(subcommand)]
    Policy(PolicyOf),
    /// Shows or sets the account's metadata defaults and HttpTokensEnforced, region by region
    #[command(subcommand)]
    Defaults(DefaultsOf),
    /// Checks credentials, regions and permissions before you need them
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

/// Which regions.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Regions")]
pub(crate) struct Regions {
    /// Only this region; repeat it, or separate regions by commas. Without it: all enabled regions
    #[arg(id = "region", long = "region", value_name = "REGION", value_delimiter = ',', value_parser = region)]
    pub(crate) only: Vec<String>,
    /// Not this region; repeat it, or separate regions by commas
    #[arg(id = "exclude_region", long = "exclude-region", value_name = "REGION", value_delimiter = ',', value_parser = region)]
    pub(crate) exclude: Vec<String>,
    /// Regions at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) concurrency: u16,
    /// One region after another, for debugging
    #[arg(long, conflicts_with = "concurrency")]
    pub(crate) sequential: bool,
}

impl Regions {
    /// For the engine.
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

/// Which instances.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Instances")]
pub(crate) struct Instances {
    /// Only this instance; repeat it, or separate ids by commas
    #[arg(id = "instance", long = "instance", value_name = "ID", value_delimiter = ',', value_parser = instance)]
    pub(crate) ids: Vec<InstanceId>,
    /// Only instances with this tag; `*` and `?` are wildcards. Repeated: all keys must fit, and any
    /// of the values of a key
    #[arg(id = "tag", long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
    /// Only instances in this state: pending, running, stopping, stopped, shutting-down, terminated
    #[arg(id = "state", long = "state", value_name = "STATE", value_delimiter = ',', value_parser = state)]
    pub(crate) states: Vec<State>,
}

impl Instances {
    /// For the engine.
    pub(crate) fn filter(&self) -> InstanceFilter {
        InstanceFilter {
            ids: self.ids.clone(),
            tags: self.tags.clone(),
            states: self.states.clone(),
        }
    }
}

/// What is required.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Policy")]
pub(crate) struct Required {
    /// The policy to judge by; without it: tokens required
    #[arg(long, value_name = "FILE", conflicts_with = "hop_limit")]
    pub(crate) policy: Option<PathBuf>,
    /// Require just this hop limit too, 1 to 64: containers on a bridge network need 2
    #[arg(long, value_name = "N", value_parser = hops)]
    pub(crate) hop_limit: Option<HopLimit>,
}

/// How to tell it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// How to tell it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl scan
  imdsctl scan --region eu-central-1,eu-west-1 --tag app='web-*' --state running
  imdsctl scan --usage 30 --only violations
  imdsctl scan --templates --defaults --user-data --usage --format html --output fleet.html")]
pub(crate) struct ScanArgs {
    /// Show only these
    #[arg(long, value_enum)]
    pub(crate) only: Option<Only>,
    /// Show how non-compliant instances used IMDSv1 in the last days (14 unless said): CloudWatch's
    /// MetadataNoToken
    #[arg(long, value_name = "DAYS", num_args = 0..=1, default_missing_value = "14", value_parser = clap::value_parser!(u8).range(1..=63))]
    pub(crate) usage: Option<u8>,
    /// Show the launch templates (default and latest version) and launch configurations that would
    /// launch the next non-compliant instance
    #[arg(long)]
    pub(crate) templates: bool,
    /// Show the account's metadata defaults and HttpTokensEnforced
    #[arg(long)]
    pub(crate) defaults: bool,
    /// Show calls to the metadata service without a token in user data; one call to AWS an instance
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Those that are not as required
    Violations,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl enforce --dry-run                  the plan, and no changing call
  imdsctl enforce --unused-only              only where IMDSv1 was not used for 14 days
  imdsctl enforce --plan-out plan.json       write the plan for a review, and
  imdsctl enforce --plan plan.json           do what was reviewed
  imdsctl enforce --policy policy.json --region-by-region --limit 50")]
pub(crate) struct EnforceArgs {
    /// Only where IMDSv1 was not used in the last days (14 unless said); unknown is not unused
    #[arg(long, value_name = "DAYS", num_args = 0..=1, default_missing_value = "14", value_parser = clap::value_parser!(u8).range(1..=63))]
    pub(crate) unused_only: Option<u8>,
    /// At most so many instances, in the order of the plan
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Finish one region before the next begins
    #[arg(long)]
    pub(crate) region_by_region: bool,
    /// Do not wait until EC2 says that the options are applied
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Write the plan to this file and change nothing
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(crate) plan_out: Option<PathBuf>,
    /// Do what this file plans; an instance that changed since is skipped
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

/// How to act.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Acting")]
pub(crate) struct Act {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show the plan and make no changing call
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Where every change is recorded, to be taken back; without it: the platform's state folder
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl usage --days 30
  imdsctl usage --rejected --days 2          after enforcing: whose calls are refused")]
pub(crate) struct UsageArgs {
    /// Days to look back
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u8).range(1..=63))]
    pub(crate) days: u8,
    /// Calls that were refused, for tokens are required there
    #[arg(long)]
    pub(crate) rejected: bool,
    #[command(flatten)]
    pub(crate) regions: Regions,
    #[command(flatten)]
    pub(crate) instances: Instances,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl rollback ~/.local/state/imdsctl/20270104T101500Z-111122223333-enforce.jsonl
  imdsctl rollback JOURNAL --instance i-0e3a5b1c9d8f70642
  imdsctl rollback JOURNAL --dry-run")]
pub(crate) struct RollbackArgs {
    /// The journal of what is to be taken back
    #[arg(value_name = "JOURNAL")]
    pub(crate) from: PathBuf,
    /// Only this instance; repeat it, or separate ids by commas
    #[arg(id = "instance", long = "instance", value_name = "ID", value_delimiter = ',', value_parser = instance)]
    pub(crate) ids: Vec<InstanceId>,
    /// Also where something else changed since
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) act: Act,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}

/// How to tell what has no rows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct PlainOutput {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  imdsctl explain events/launch-open.json --policy events/policy.json")]
pub(crate) struct ExplainArgs {
    /// An event as EventBridge, SNS or CloudTrail gives it; `-` is standard input
    #[arg(value_name = "EVENT.json")]
    pub(crate) event: PathBuf,
    /// The function's policy
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyOf {
    /// Names all faults of a policy, or says what it asks for
    Check {
        /// The policy; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Prints the JSON Schema of policies, for editors
    Schema,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DefaultsOf {
    /// Shows them for all regions
    Show {
        #[command(flatten)]
        regions: Regions,
        #[command(flatten)]
        output: PlainOutput,
    },
    /// Sets them: shows the plan, asks, acts
    Set(DefaultsSet),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  imdsctl defaults set --http-tokens required --hop-limit 2
  imdsctl defaults set --http-tokens-enforced enabled --region eu-central-1")]
pub(crate) struct DefaultsSet {
    #[command(flatten)]
    pub(crate) regions: Regions,
    #[command(flatten)]
    pub(crate) wish: DefaultsWish,
    #[command(flatten)]
    pub(crate) act: Act,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}

/// What is left out stays as it is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Defaults")]
#[group(required = true, multiple = true)]
pub(crate) struct DefaultsWish {
    /// optional, required or no-preference
    #[arg(long, value_name = "WORD", value_parser = tokens)]
    pub(crate) http_tokens: Option<Preference<HttpTokens>>,
    /// 1 to 64, or no-preference
    #[arg(long, value_name = "N", value_parser = preferred_hops)]
    pub(crate) hop_limit: Option<Preference<HopLimit>>,
    /// enabled, disabled or no-preference
    #[arg(long, value_name = "WORD", value_parser = toggle)]
    pub(crate) http_endpoint: Option<Preference<Toggle>>,
    /// enabled, disabled or no-preference
    #[arg(long, value_name = "WORD", value_parser = toggle)]
    pub(crate) instance_metadata_tags: Option<Preference<Toggle>>,
    /// enabled, disabled or no-preference; while it is enabled IMDSv1 launches fail and nothing can
    /// be taken back to `optional`
    #[arg(long, value_name = "WORD", value_parser = toggle)]
    pub(crate) http_tokens_enforced: Option<Preference<Toggle>>,
}

/// A default, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Preference<T>(pub(crate) Option<T>);

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) regions: Regions,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}

fn url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.trim_matches('/').is_empty() => Ok(text.to_owned()),
        _ => Err("expected a URL such as https://host:8443".to_owned()),
    }
}

/// It becomes part of a host name.
fn region(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=40).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("expected a region such as eu-central-1".to_owned())
    }
}

fn instance(text: &str) -> Result<InstanceId, String> {
    InstanceId::try_from(text).map_err(|_| "expected an id such as i-0e3a5b1c9d8f70642".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

fn state(text: &str) -> Result<State, String> {
    State::from_word(text).ok_or_else(|| {
        "expected pending, running, stopping, stopped, shutting-down or terminated".to_owned()
    })
}

fn hops(text: &str) -> Result<HopLimit, String> {
    text.parse::<i64>()
        .ok()
        .and_then(|n| HopLimit::try_from(n).ok())
        .ok_or_else(|| "expected 1 to 64".to_owned())
}

const NO_PREFERENCE: &str = "no-preference";

fn preference<T>(
    text: &str,
    read: impl Fn(&str) -> Option<T>,
    expected: &str,
) -> Result<Preference<T>, String> {
    if text == NO_PREFERENCE {
        return Ok(Preference(None));
    }
    match read(text) {
        Some(value) => Ok(Preference(Some(value))),
        None => Err(format!("expected {expected} or {NO_PREFERENCE}")),
    }
}

fn tokens(text: &str) -> Result<Preference<HttpTokens>, String> {
    preference(text, HttpTokens::from_word, "optional, required")
}

fn toggle(text: &str) -> Result<Preference<Toggle>, String> {
    preference(text, Toggle::from_word, "enabled, disabled")
}

fn preferred_hops(text: &str) -> Result<Preference<HopLimit>, String> {
    preference(text, |text| hops(text).ok(), "1 to 64")
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
