//! `imdsctl explain` and `imdsctl policy`: nothing here asks AWS.

use imds_core::policy::Policy;

use super::files;
use crate::args::{Explain, PolicyOf};
use crate::error::{Exit, Problem};
use crate::world::World;
use crate::{explain, policy_check};

pub(crate) fn explain(args: &Explain, world: &World) -> Result<Exit, Problem> {
    let text = files::read("the policy", &args.policy)?;
    let policy = Policy::parse(&text).map_err(|source| Problem::Policy {
        path: args.policy.clone(),
        source,
    })?;
    let event = files::read("the event", &args.event)?;
    let explanation =
        explain::explain(&event, &policy, (world.now)()).map_err(|source| Problem::Event {
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
    Ok(explanation.exit())
}

pub(crate) fn policy(of: &PolicyOf, world: &World) -> Result<Exit, Problem> {
    let text = match of {
        PolicyOf::Schema => policy_check::schema().to_owned(),
        PolicyOf::Check { file } => {
            let text = files::read("the policy", file)?;
            policy_check::check(&text, (world.now)()).map_err(|source| Problem::Policy {
                path: file.clone(),
                source,
            })?
        }
    };
    files::print(|out| writeln!(out, "{}", text.trim_end()))?;
    Ok(Exit::Fine)
}
