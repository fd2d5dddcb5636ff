//! `imdsctl usage`: who used IMDSv1, or whose calls are rejected now.

mod rollback_hint;
mod show;
mod spark;
mod watch;

use std::time::Duration;

use imds_aws::Metric;
use imds_core::policy::Existing;
use imds_engine::{InstanceCalls, UsageOptions, UsageSurvey, usage as survey_usage};
use jiff::Timestamp;
use serde::Serialize;

use super::files;
use crate::args::{self, Connection};
use crate::connect::{Connected, connect};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::output::Format;
use crate::progress::ProgressLine;
use crate::scope::Scope;
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
        let scope = Scope {
            connection: connection.clone(),
            regions: args.regions.clone(),
            instances: args.instances.clone(),
            ..Scope::default()
        };
        let (days, words) = (args.days, scope.words());
        return Err(Problem::Usage(format!(
            "`usage` has the formats table, json and csv; use `imdsctl scan --usage {days}{words}` for others"
        )));
    }
    let watched = args.output.format.unwrap_or(Format::Table);
    if args.watch.is_some() && !matches!(watched, Format::Table | Format::Json) {
        let instead = "`--watch` prints lines: use `--format table` or `json`";
        return Err(Problem::Usage(instead.to_owned()));
    }
    let connected = connect(connection, &args.regions.only, environment.var).await?;
    let surveyor = UsageSurveyor {
        connection,
        connected: &connected,
        args: &args,
    };
    if let Some(seconds) = args.watch {
        let every = Duration::from_secs(seconds.into());
        return watch::watch(&surveyor, every, watched, environment).await;
    }
    let document = surveyor.survey((environment.now)()).await?;
    for &files::Target { format, path } in &targets {
        let style = terminal::style(environment.var, Destination::of(path));
        files::put(path, |out| {
            files::begin(format == Format::Csv, path, out)?;
            show::write(format, &document, &style, out)
        })?;
    }
    files::warn_unreachable(&targets, &document.survey.unreachable);
    Ok(document.exit())
}

/// What a survey is made with.
struct UsageSurveyor<'a> {
    connection: &'a Connection,
    connected: &'a Connected,
    args: &'a args::UsageArgs,
}

impl UsageSurveyor<'_> {
    /// Reads the calls of all instances until now. The time limit begins again.
    async fn survey(&self, now: Timestamp) -> Result<UsageDocument, Problem> {
        let UsageSurveyor {
            connection,
            connected,
            args,
        } = self;
        let client = &connected.client;
        if let Some(limit) = connection.timeout {
            client.limit_time(limit);
        }
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
            now,
        };
        let progress = ProgressLine::new(client);
        let survey = survey_usage(client, &connected.region, &options, &progress.hear()).await;
        progress.end();
        let survey = survey.map_err(Problem::regions)?;
        let hints = if args.rejected && !survey.instances.is_empty() {
            RollbackHints::read(connection).find_all(&survey.instances)
        } else {
            Vec::new()
        };
        Ok(UsageDocument {
            options,
            show_tags: args.output.show_tags.clone(),
            survey,
            hints,
        })
    }
}
