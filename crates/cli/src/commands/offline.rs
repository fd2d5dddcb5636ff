//! `imdsctl explain` and `imdsctl policy`, which call no AWS API.

use imds_core::explain::explain as explain_event;
use imds_core::policy::Policy;

use super::files;
use crate::args::{ExplainArgs, PolicyOf};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::policy_check;

pub(crate) fn explain(args: &ExplainArgs, environment: &Environment) -> Result<Exit, Problem> {
    let text = files::read("the policy", &args.policy)?;
    let policy = Policy::parse(&text).map_err(|source| Problem::Policy {
        path: args.policy.clone(),
        source,
    })?;
    let event = files::read("the event", &args.event)?;
    let explanation =
        explain_event(&event, &policy, (environment.now)()).map_err(|source| Problem::Event {
            path: args.event.clone(),
            source,
        })?;
    files::print(|out| {
        if args.output.json {
            serde_json::to_writer_pretty(&mut *out, &explanation)?;
            writeln!(out)
        } else {
            write!(out, "{explanation}")
        }
    })?;
    Ok(if explanation.has_violations() {
        Exit::Violations
    } else {
        Exit::Fine
    })
}

pub(crate) fn policy(of: &PolicyOf, environment: &Environment) -> Result<Exit, Problem> {
    let text = match of {
        PolicyOf::Schema => policy_check::schema().to_owned(),
        PolicyOf::Check { file } => {
            let text = files::read("the policy", file)?;
            policy_check::check(&text, (environment.now)()).map_err(|source| Problem::Policy {
                path: file.clone(),
                source,
            })?
        }
    };
    files::print(|out| writeln!(out, "{}", text.trim_end()))?;
    Ok(Exit::Fine)
}
