//! `imdsctl explain`, `imdsctl policy` and `imdsctl report-schema`, which call no AWS API.

use std::fmt::Display;

use imds_core::explain::explain_each;
use serde::Serialize;

use super::{chosen_policy, files};
use crate::args::{ExplainArgs, PolicyOf};
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::{policy_check, report_schema};

pub(crate) fn explain(args: &ExplainArgs, environment: &Environment) -> Result<Exit, Problem> {
    let policy = chosen_policy::load(&args.policy)?.policy;
    let text = files::read("the event", &args.event)?;
    let events = explain_each(&text, &policy, (environment.now)());
    let path = || args.event.clone();
    match events.0.as_slice() {
        [event] => match &event.explained {
            Ok(explanation) => print(explanation, args.output.json)?,
            Err(malformed) => {
                return Err(Problem::Event {
                    path: path(),
                    source: malformed.clone(),
                });
            }
        },
        several => {
            print(&events, args.output.json)?;
            if let Some(first) = events.malformed().next() {
                return Err(Problem::Events {
                    path: path(),
                    malformed: events.malformed().count(),
                    of: several.len(),
                    source: first.clone(),
                });
            }
        }
    }
    Ok(if events.has_violations() {
        Exit::Violations
    } else {
        Exit::Fine
    })
}

fn print(explained: &(impl Display + Serialize), as_json: bool) -> Result<(), Problem> {
    if !as_json {
        return files::print_text(explained);
    }
    files::print(|out| {
        serde_json::to_writer_pretty(&mut *out, explained)?;
        writeln!(out)
    })
}

pub(crate) fn policy(of: &PolicyOf, environment: &Environment) -> Result<Exit, Problem> {
    match of {
        PolicyOf::Schema => {
            files::print(|out| writeln!(out, "{}", policy_check::schema().trim_end()))?;
        }
        PolicyOf::Check { file } => {
            let policy = chosen_policy::load(file)?.policy;
            let description = policy_check::describe(&policy, (environment.now)());
            files::print_text(&description)?;
        }
    }
    Ok(Exit::Fine)
}

pub(crate) fn report_schema(of_comparisons: bool) -> Result<Exit, Problem> {
    let schema = match of_comparisons {
        true => report_schema::of_comparisons(),
        false => report_schema::schema(),
    };
    files::print(|out| writeln!(out, "{}", schema.trim_end()))?;
    Ok(Exit::Fine)
}
