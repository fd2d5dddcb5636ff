//! The command `imdsctl`: finds, explains, mends and restores the fleet that already exists.

mod args;
mod commands;
mod connect;
mod document;
mod error;
mod explain;
mod fleet;
mod journal;
mod output;
mod plan_file;
mod policy_check;
mod progress;
mod quote;
mod rollback;
mod row;
mod side_by_side;
mod terminal;
mod user_data;
mod world;

use std::process::ExitCode;

use clap::Parser;
use imds_core::chain::chain;
use jiff::Timestamp;

use crate::args::{Cli, Command};
use crate::error::{Exit, Problem};
use crate::world::World;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let world = World { now, var };
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::Failed(format!("could not start: {error}")))
        .and_then(|runtime| runtime.block_on(run(cli, &world)));
    match ended {
        Ok(exit) => exit.into(),
        Err(problem) => {
            eprintln!("imdsctl: {}", chain(&problem));
            problem.exit_code()
        }
    }
}

async fn run(cli: Cli, world: &World) -> Result<Exit, Problem> {
    let connection = &cli.connection;
    match cli.command {
        Command::Scan(scan) => commands::scan::scan(connection, scan, world).await,
        Command::Enforce(args) => commands::enforce::enforce(connection, args, world).await,
        Command::Rollback(args) => commands::rollback::rollback(connection, args, world).await,
        Command::Usage(args) => commands::usage::usage(connection, args, world).await,
        Command::Explain(args) => commands::offline::explain(&args, world),
        Command::Policy(of) => commands::offline::policy(&of, world),
        Command::Defaults(of) => commands::defaults::defaults(connection, of, world).await,
        Command::Doctor(args) => commands::doctor::doctor(connection, args, world).await,
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
