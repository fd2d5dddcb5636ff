//! `imdsctl scan`.

use std::sync::Arc;

use imds_core::policy::Policy;

use super::files;
use crate::args::{Connection, Only, Required, Scan};
use crate::connect::connect;
use crate::document::Document;
use crate::error::{Exit, Problem};
use crate::fleet::{self, Wishes};
use crate::progress::Progress;
use crate::world::World;

pub(crate) async fn scan(
    connection: &Connection,
    scan: Scan,
    world: &World,
) -> Result<Exit, Problem> {
    let policy = policy(&scan.required)?.policy;
    let connected = connect(connection, &scan.regions.only, world.var).await?;
    let wishes = Wishes {
        regions: scan.regions,
        instances: scan.instances,
        policy,
        only_violations: scan.only == Some(Only::Violations),
        usage_days: scan.usage,
        unused_only: false,
        templates: scan.templates,
        defaults: scan.defaults,
        user_data: scan.user_data,
        keep_steps: false,
        now: (world.now)(),
    };
    let fleet = fleet::look(&connected, wishes, &Arc::new(Progress::new())).await?;
    files::tell(&scan.output, &fleet.document, world)?;
    Ok(exit(&fleet.document))
}

/// What is not seen weighs more than what is seen to be wrong.
pub(crate) fn exit(document: &Document) -> Exit {
    if !document.unseen.is_empty() || document.summary.failed > 0 {
        Exit::Failed
    } else if document.summary.reported > 0 || launches_wrong(document) {
        Exit::Violations
    } else {
        Exit::Fine
    }
}

/// Whether the next instance would be wrong, or may be.
fn launches_wrong(document: &Document) -> bool {
    let mut templates = document.templates.iter().flatten();
    templates.any(|template| template.verdict != "required")
}

/// A policy, and the document that it was read from.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) policy: Policy,
    pub(crate) text: String,
}

/// The policy that was asked for; without any, tokens are required and nothing else.
pub(crate) fn policy(required: &Required) -> Result<Chosen, Problem> {
    let (path, text) = match &required.policy {
        Some(path) => (path.clone(), files::read("the policy", path)?),
        None => {
            let hops = required.hop_limit.map_or_else(String::new, |hops| {
                format!(r#", "hop_limit": {{ "at_least": {hops}, "at_most": {hops} }}"#)
            });
            let text = format!(
                r#"{{ "require": {{ "http_tokens": "required"{hops} }}, "on_violation": "enforce" }}"#
            );
            ("the command's own".into(), text)
        }
    };
    let policy = Policy::parse(&text).map_err(|source| Problem::Policy { path, source })?;
    Ok(Chosen { policy, text })
}
