//! `imdsctl usage`: who used IMDSv1, or whose calls are rejected now.

mod rollback_hint;
mod show;
mod spark;

use imds_aws::Metric;
use imds_core::policy::Existing;
use imds_engine::{InstanceCalls, UsageOptions, UsageSurvey, usage as survey_usage};
use serde::Serialize;

use super::files;
use crate::args::{self, Connection};
use crate::connect::connect;
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::progress::ProgressLine;
use crate::terminal::{self, Destination};
use rollback_hint::{RollbackHint, RollbackHints};

/// A survey and its parameters.
struct UsageDocument {
    options: UsageOptions,
    /// The keys of the tags that are shown.
    show_tags: Vec<String>,
    survey: UsageSurvey,
    /// One hint per instance, in the survey's order; only for rejected calls.
    hints: Vec<RollbackHint>,
}

/// An instance as JSON.
#[derive(Serialize)]
struct UsageRow<'a> {
    #[serde(flatten)]
    calls: &'a InstanceCalls,
    /// How to make its tokens optional again.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<&'a RollbackHint>,
}

impl UsageDocument {
    fn rows(&self) -> impl Iterator<Item = UsageRow<'_>> {
        let hints = self.hints.iter().map(Some).chain(std::iter::repeat(None));
        let rows = self.survey.instances.iter().zip(hints);
        rows.map(|(calls, rollback)| UsageRow { calls, rollback })
    }

    fn is_rejected(&self) -> bool {
        self.options.metric == Metric::NoTokenRejected
    }

    /// Unreachable regions take precedence over use.
    fn exit(&self) -> Exit {
        if !self.survey.unreachable.is_empty() {
            Exit::Failed
        } else if self.survey.counts.some > 0 {
            Exit::Violations
        } else {
            Exit::Fine
        }
    }
}

pub(crate) async fn usage(
    connection: &Connection,
    args: args::UsageArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    let targets = files::targets(&args.output)?;
    let is_supported = |it: &files::Target| show::FORMATS.contains(&it.format);
    if !targets.iter().all(is_supported) {
        let instead =
            "`usage` has the formats table, json and csv; use `imdsctl scan --usage` for others";
        return Err(Problem::Usage(instead.to_owned()));
    }
    let connected = connect(connection, &args.regions.only, environment.var).await?;
    let options = UsageOptions {
        regions: args.regions.selection(),
        instances: args.instances.filter(),
        metric: if args.rejected {
            Metric::NoTokenRejected
        } else {
            Metric::NoToken
        },
        days: args.days,
        data_hours: Existing::default().usage_data_hours,
        now: (environment.now)(),
    };
    let client = &connected.client;
    let progress = ProgressLine::new(client);
    let survey = survey_usage(client, &connected.region, &options, &progress.hear()).await;
    progress.end();
    let survey = survey.map_err(Problem::regions)?;
    let hints = if args.rejected && !survey.instances.is_empty() {
        RollbackHints::read(connection).find_all(&survey.instances)
    } else {
        Vec::new()
    };
    let document = UsageDocument {
        options,
        show_tags: args.output.show_tags.clone(),
        survey,
        hints,
    };
    for &files::Target { format, path } in &targets {
        let style = terminal::style(environment.var, Destination::of(path));
        files::put(path, |out| show::write(format, &document, &style, out))?;
    }
    files::warn_unreachable(&targets, &document.survey.unreachable);
    Ok(document.exit())
}
