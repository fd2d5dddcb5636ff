//! `imdsctl scan`.

use imds_core::chain::chain;
use imds_core::policy::Policy;
use imds_core::report::Summary;
use imds_engine::{Include, Keep, Scan, ScanOptions, scan as scan_fleet};
use tokio::time::Instant;

use super::files;
use crate::args::{self, Connection, Only, Required};
use crate::connect::{Connected, connect};
use crate::document::{CommandTrigger, Document};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::progress::ProgressLine;

pub(crate) async fn scan(
    connection: &Connection,
    args: args::ScanArgs,
    environment: &Environment,
) -> Result<Exit, Problem> {
    let policy = policy(&args.required)?.policy;
    let connected = connect(connection, &args.regions.only, environment.var).await?;
    let options = ScanOptions {
        regions: args.regions.selection(),
        instances: args.instances.filter(),
        policy,
        keep: match args.only {
            Some(Only::Violations) => Keep::Violations,
            None => Keep::All,
        },
        usage_days: args.usage,
        include: Include {
            templates: args.templates,
            defaults: args.defaults,
            user_data: args.user_data,
        },
        now: (environment.now)(),
    };
    let (document, _) = run(&connected, options, CommandTrigger::Scan).await?;
    files::report(&args.output, &document, environment)?;
    Ok(document.exit())
}

/// Scans, and returns the document and the scan's plan.
pub(super) async fn run(
    connected: &Connected,
    options: ScanOptions,
    trigger: CommandTrigger,
) -> Result<(Document, imds_core::plan::Plan), Problem> {
    let begin = Instant::now();
    let progress = ProgressLine::new(&connected.client);
    let (at, usage_days, include) = (options.now, options.usage_days, options.include);
    let scan = scan_fleet(
        &connected.client,
        &connected.region,
        options,
        &progress.hear(),
    )
    .await;
    progress.end();
    let Scan {
        account,
        regions,
        instances,
        plan,
        unreachable,
        templates,
        defaults,
    } = scan.map_err(Problem::scan)?;
    let mut summary = Summary::default();
    for region in &regions {
        summary.add(region.summary);
    }
    let document = Document {
        trigger,
        account: account
            .map_err(|error| eprintln!("imdsctl: {}", chain(&Problem::identity(error))))
            .ok(),
        at,
        took: begin.elapsed(),
        summary,
        regions,
        unreachable,
        instances,
        usage_days,
        user_data: include.user_data,
        templates: include.templates.then_some(templates),
        defaults: include.defaults.then_some(defaults),
    };
    Ok((document, plan))
}

/// A policy, and the document that it was read from.
#[derive(Debug, Clone)]
pub(crate) struct ChosenPolicy {
    pub(crate) policy: Policy,
    pub(crate) text: String,
}

/// The policy that was named; without one, tokens are required and nothing else.
pub(crate) fn policy(required: &Required) -> Result<ChosenPolicy, Problem> {
    let (path, text) = match &required.policy {
        Some(path) => (path.clone(), files::read("the policy", path)?),
        None => {
            let hops = required.hop_limit.map_or_else(String::new, |hops| {
                format!(r#", "hop_limit": {{ "at_least": {hops}, "at_most": {hops} }}"#)
            });
            let text = format!(
                r#"{{ "version": 1, "require": {{ "http_tokens": "required"{hops} }}, "on_violation": "enforce" }}"#
            );
            ("the command's own".into(), text)
        }
    };
    let policy = Policy::parse(&text).map_err(|source| Problem::Policy { path, source })?;
    Ok(ChosenPolicy { policy, text })
}
