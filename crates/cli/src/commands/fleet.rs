//! Scans the fleet for a command.

use imds_core::chain::chain;
use imds_core::plan::Plan;
use imds_engine::{Scan, ScanOptions, scan as scan_fleet};
use tokio::time::Instant;

use crate::connect::Connected;
use crate::document::{CommandTrigger, Document, PolicyIdentity};
use crate::error::Problem;
use crate::progress::ProgressLine;
use crate::scope::Scope;
use crate::terminal;

/// Scans, and returns the document and the scan's plan.
pub(super) async fn scan(
    connected: &Connected,
    options: ScanOptions,
    trigger: CommandTrigger,
    (scope, policy): (Scope, PolicyIdentity),
) -> Result<(Document, Plan), Problem> {
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
        unneeded_exemptions,
    } = scan.map_err(Problem::scan)?;
    let document = Document {
        scope,
        policy,
        account: account
            .map_err(|error| {
                terminal::say(format!("imdsctl: {}", chain(&Problem::identity(error))));
            })
            .ok(),
        took: begin.elapsed(),
        regions,
        unreachable,
        instances,
        usage_days,
        user_data: include.user_data,
        kept_templates: include.templates,
        templates: include.templates.map(|_| templates),
        defaults: include.defaults.then_some(defaults),
        unneeded_exemptions,
        ..Document::new(trigger, at)
    };
    Ok((document, plan))
}
