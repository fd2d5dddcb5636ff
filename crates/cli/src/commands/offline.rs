//! `imdsctl explain` and `imdsctl policy`, which call no AWS API.

use imds_core::explain::explain as explain_event;

use super::{chosen_policy, files};
use crate::args::{ExplainArgs, PolicyOf};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::policy_check;

pub(crate) fn explain(args: &ExplainArgs, environment: &Environment) -> Result<Exit, Problem> {
    let policy = chosen_policy::load(&args.policy)?.policy;
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
            policy_check::describe(&chosen_policy::load(file)?.policy, (environment.now)())
        }
    };
    files::print(|out| writeln!(out, "{}", text.trim_end()))?;
    Ok(Exit::Fine)
}
