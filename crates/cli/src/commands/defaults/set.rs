//! `imdsctl defaults set`: describes, shows the plan, asks, and applies it.

use std::io::{self, Write};

use imds_core::defaults::{DefaultsOutcome, DefaultsReport, DefaultsStep, MetadataDefaults};
use imds_core::report::Unreachable;
use imds_engine::{Record, apply_defaults};
use serde::Serialize;

use super::describe;
use crate::args::{Connection, DefaultsSet, DefaultsWish};
use crate::commands::journals::{end, new_journal, rollback_command};
use crate::commands::{files, interrupt};
use crate::connect::{Connected, connect};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::journal::{RecordedCommand, Writer};
use crate::output::{self, Message, Style, count, json, thousands};
use crate::progress::ProgressLine;
use crate::terminal::{self, Destination};

pub(super) async fn set(
    connection: &Connection,
    args: DefaultsSet,
    environment: &Environment,
) -> Result<Exit, Problem> {
    let connected = connect(connection, &args.regions.only, environment.var).await?;
    let survey = describe(&connected, &args.regions).await?;
    // Without the account nothing can be recorded, and so nothing is changed.
    let account = survey.account.map_err(Problem::identity)?;
    let described = survey.defaults.into_iter();
    let steps: Vec<DefaultsStep> = described
        .map(|it| step(it.region, it.defaults, &args.wish))
        .collect();
    let mut output = DefaultsSetOutput {
        account,
        regions: steps.iter().map(DefaultsStep::planned).collect(),
        unreachable: survey.unreachable,
        journal: None,
    };
    let style = terminal::style(environment.var, Destination::StandardOutput);
    warn(&steps, connection);
    let to_set = steps.iter().filter(|step| step.is_change()).count();
    if to_set == 0 || args.act.dry_run {
        return output.print(&args, &style);
    }
    if !args.act.yes && !output.is_confirmed(&connected, to_set, &args, &style)? {
        terminal::say("nothing was changed");
        return Ok(output.exit());
    }
    let command = RecordedCommand::Defaults;
    let writer = new_journal(&args.act, command, &connected, environment).await?;
    output.regions = apply(&connected, &steps, &args, &writer).await?;
    output.journal = Some(writer.path().to_string_lossy().into_owned());
    // If one fails, the other is still done.
    let printed = output.print(&args, &style);
    let back = rollback_command(writer.path(), connection);
    terminal::offer("roll back with:", &back);
    end(writer, &connected)?;
    printed
}

/// Options that were not given stay as they are.
fn step(region: String, from: MetadataDefaults, wish: &DefaultsWish) -> DefaultsStep {
    let DefaultsWish {
        http_tokens,
        hop_limit,
        http_endpoint,
        instance_metadata_tags: tags,
        http_tokens_enforced: enforced,
    } = wish;
    let to = MetadataDefaults {
        http_tokens: http_tokens.map_or(from.http_tokens, |it| it.0),
        hop_limit: hop_limit.map_or(from.hop_limit, |it| it.0),
        http_endpoint: http_endpoint.map_or(from.http_endpoint, |it| it.0),
        instance_metadata_tags: tags.map_or(from.instance_metadata_tags, |it| it.0),
        http_tokens_enforced: enforced.map_or(from.http_tokens_enforced, |it| it.0),
        managed_by: from.managed_by.clone(),
    };
    DefaultsStep { region, from, to }
}

/// Prints the warnings to read before confirming.
fn warn(steps: &[DefaultsStep], connection: &Connection) {
    let regions = steps.iter().filter(|step| step.starts_enforcing_tokens());
    let regions: Vec<&str> = regions.map(|step| step.region.as_str()).collect();
    if regions.is_empty() {
        return;
    }
    let listed = regions.join(", ");
    terminal::say(format!(
        "warning: with http_tokens_enforced, launches that allow IMDSv1 fail in {listed}, and `imdsctl rollback` cannot make tokens optional there; existing instances stay as they are"
    ));
    let regions = regions.join(",");
    let check = "--templates --usage --only violations";
    let check = format!(
        "imdsctl scan --region {regions} {check}{}",
        connection.words()
    );
    terminal::offer("check first:", &check);
}

async fn apply(
    connected: &Connected,
    steps: &[DefaultsStep],
    args: &DefaultsSet,
    writer: &Writer,
) -> Result<Vec<DefaultsReport>, Problem> {
    terminal::say(format!("journal: {}", writer.path().display()));
    let client = &connected.client;
    let progress = ProgressLine::new(client);
    interrupt::halts(client, &progress)?;
    let regions = args.regions.selection();
    let recorder = |record: &Record<'_>| writer.record(record);
    let reports = apply_defaults(client, steps, &regions, &recorder, &progress.hear()).await;
    progress.end();
    Ok(reports)
}

/// The output of `defaults set`.
#[derive(Serialize)]
struct DefaultsSetOutput {
    account: String,
    regions: Vec<DefaultsReport>,
    unreachable: Vec<Unreachable>,
    journal: Option<String>,
}

impl DefaultsSetOutput {
    fn print(&self, args: &DefaultsSet, style: &Style) -> Result<Exit, Problem> {
        files::print(|out| match args.output.json {
            true => json::write(self, out),
            false => self.write_lines(style, out),
        })?;
        Ok(self.exit())
    }

    /// Shows the plan and asks for confirmation.
    fn is_confirmed(
        &self,
        connected: &Connected,
        to_set: usize,
        args: &DefaultsSet,
        style: &Style,
    ) -> Result<bool, Problem> {
        if args.output.json {
            let mut stderr = io::stderr().lock();
            let written = self.write_lines(style, &mut stderr);
            written.map_err(Problem::Print)?;
        } else {
            files::print(|out| self.write_lines(style, out))?;
        }
        let regions = count(to_set, "region");
        let account = &self.account;
        connected.agreed(&format!(
            "Set the metadata defaults of {regions} in account {account}?"
        ))
    }

    fn write_lines(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        for report in &self.regions {
            let line = format!("{}: {}", report.outcome.as_str(), report.reason);
            output::line(&Message(&line).to_string(), style, out)?;
        }
        output::unreachable(&self.unreachable, style, out)?;
        let counts = DefaultsOutcome::ALL.map(|outcome| (self.count(outcome), outcome.as_str()));
        let unreachable = (self.unreachable.len(), "unreachable");
        let counts = counts.into_iter().chain([unreachable]);
        let counts = counts.filter(|(n, _)| *n > 0);
        let counts = counts.map(|(n, word)| format!("{} {word}", thousands(n)));
        let counts: Vec<String> = counts.collect();
        let total = count(self.regions.len() + self.unreachable.len(), "region");
        writeln!(out)?;
        output::line(&format!("{total}: {}", counts.join(", ")), style, out)
    }

    fn count(&self, outcome: DefaultsOutcome) -> usize {
        let reports = self.regions.iter();
        reports.filter(|report| report.outcome == outcome).count()
    }

    /// Failures and unreachable regions take precedence over remaining work.
    fn exit(&self) -> Exit {
        if self.count(DefaultsOutcome::Failed) > 0 || !self.unreachable.is_empty() {
            Exit::Failed
        } else if self.count(DefaultsOutcome::Planned) > 0 {
            Exit::Violations
        } else {
            Exit::Fine
        }
    }
}
