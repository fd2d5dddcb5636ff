//! Arguments of `imdsctl defaults`.

use clap::{Args, Subcommand};
use imds_core::options::{HopLimit, HttpTokens, Toggle};

use super::values::hops;
use super::{Act, PlainOutput, Regions};

#[derive(Debug, Subcommand)]
pub(crate) enum DefaultsOf {
    /// Shows the defaults of all regions
    Show {
        #[command(flatten)]
        regions: Regions,
        #[command(flatten)]
        output: PlainOutput,
    },
    /// Sets defaults: shows the plan, asks, and applies it
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

/// The defaults to set; the others stay as they are.
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
    /// enabled, disabled or no-preference; while it is enabled, launches with IMDSv1 fail, and tokens
    /// cannot be made optional again
    #[arg(long, value_name = "WORD", value_parser = toggle)]
    pub(crate) http_tokens_enforced: Option<Preference<Toggle>>,
}

/// A default, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Preference<T>(pub(crate) Option<T>);

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
