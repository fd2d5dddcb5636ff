//! The command `imdsctl`: arguments, views, journal and plan file for the fleet that exists already.

mod args;
mod commands;
mod comparison;
mod connect;
mod coverage;
mod document;
mod environment;
mod error;
mod joined;
mod journal;
mod output;
mod plan_file;
mod policy_check;
mod progress;
mod quote;
mod recorded;
mod report_file;
mod report_schema;
mod scope;
mod terminal;
mod text;
mod usage_by_source;
mod wrap;

use std::process::ExitCode;

use clap::Parser;
use imds_core::chain::chain;
use jiff::Timestamp;

use crate::args::{Cli, Command};
use crate::environment::Environment;
use crate::error::{Exit, Problem};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = Environment { now, var };
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::Failed(format!("could not start: {error}")))
        .and_then(|runtime| runtime.block_on(run(cli, &environment)));
    match ended {
        Ok(exit) => exit.into(),
        Err(problem) => {
            terminal::say(format!("imdsctl: {}", chain(&problem)));
            problem.exit_code()
        }
    }
}

async fn run(cli: Cli, environment: &Environment) -> Result<Exit, Problem> {
    let connection = &cli.connection;
    match cli.command {
        Command::Scan(scan) => commands::scan::scan(connection, scan, environment).await,
        Command::Enforce(args) => commands::enforce::enforce(connection, args, environment).await,
        Command::Rollback(args) => {
            commands::rollback::rollback(connection, args, environment).await
        }
        Command::Journals(args) => commands::journals::list(&args),
        Command::Exempt(args) => commands::exempt::exempt(connection, args, environment).await,
        Command::Pause(args) => commands::pause::pause(connection, args, environment).await,
        Command::Usage(args) => commands::usage::usage(connection, args, environment).await,
        Command::Diff(args) => commands::diff::diff(&args, environment),
        Command::Report(args) => commands::report::report(&args, environment),
        Command::Explain(args) => commands::offline::explain(&args, environment),
        Command::Policy(of) => commands::offline::policy(&of, environment),
        Command::Defaults(of) => commands::defaults::defaults(connection, of, environment).await,
        Command::Doctor(args) => commands::doctor::doctor(connection, args, environment).await,
        Command::ReportSchema { diff } => commands::offline::report_schema(diff),
        Command::Completions { shell } => commands::shell::completions(shell),
        Command::Man { folder } => commands::shell::man(folder.as_deref()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one clock; everything else takes the time"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
