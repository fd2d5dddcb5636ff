//! `bench`: what a start, an event and a scan cost, compared with the least that they can cost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark panics on the unexpected and reads the clock"
)]

mod cold;
mod machine;
mod process;
mod report;
mod scan;
mod setup;
mod stats;
mod sweep;
mod tls;
mod warm;

/// Events and access to answers, shared with the whole-program tests.
#[path = "../../tests/tests/enforcer/support.rs"]
mod support;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use machine::HostMachine;
use report::{Goal, ReportRow, Unit};
use setup::Setup;

/// Measures the function against fakes, compares it with a function that does nothing, and prints a table.
#[derive(Debug, Parser)]
struct BenchArguments {
    /// The function's binary.
    #[arg(long, value_name = "FILE", value_parser = existing)]
    enforcer: PathBuf,
    /// The binary of `bench/floor`, built in the same way.
    #[arg(long, value_name = "FILE", value_parser = existing)]
    floor: PathBuf,
    /// The function's release zip.
    #[arg(long, value_name = "FILE", value_parser = existing)]
    zip: Option<PathBuf>,
    /// The release zip of `bench/floor`.
    #[arg(long, value_name = "FILE", value_parser = existing)]
    floor_zip: Option<PathBuf>,
    /// The command's binary; without it, scans are not measured.
    #[arg(long, value_name = "FILE", value_parser = existing)]
    imdsctl: Option<PathBuf>,
    /// Cold starts of each kind; the number of events depends on it.
    #[arg(long, value_name = "N", default_value_t = 30)]
    rounds: usize,
    /// How many instances are scanned.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    fleet: usize,
    /// How many instances are swept, in six regions.
    #[arg(long, value_name = "N", default_value_t = 12_000)]
    swept: usize,
    /// Only this part; repeat it, or separate parts by commas.
    #[arg(long, value_name = "PART", value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// The folder of `bench.json`.
    #[arg(long, value_name = "FOLDER", default_value = "dist/bench")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Part {
    /// Cold starts.
    Cold,
    /// Warm events.
    Warm,
    /// A sweep.
    Sweep,
    /// `imdsctl scan`.
    Scan,
}

fn main() -> ExitCode {
    match run(&BenchArguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Missed goals are shown and are not an error, because times depend on the machine.
fn run(arguments: &BenchArguments) -> Result<(), FiguresNotWritten> {
    let out = &arguments.out;
    let not_written = |source| FiguresNotWritten {
        path: out.clone(),
        source,
    };
    fs::create_dir_all(out).map_err(not_written)?;
    let machine = HostMachine::here();
    let setup = Setup {
        floor: arguments.floor.clone(),
        enforcer: arguments.enforcer.clone(),
        cores: process::Cores::leave_second(),
        rounds: arguments.rounds,
    };
    println!("{machine}");
    let mut rows = sizes(arguments);
    let wanted = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    if wanted(Part::Cold) {
        eprintln!("cold starts …");
        rows.extend(cold::measure(&setup, out).map_err(not_written)?);
    }
    if wanted(Part::Warm) {
        eprintln!("warm events …");
        rows.extend(warm::measure(&setup, out).map_err(not_written)?);
    }
    if wanted(Part::Sweep) {
        eprintln!("sweeps …");
        rows.extend(sweep::measure(&setup, arguments.swept));
    }
    if let Some(imdsctl) = arguments.imdsctl.as_ref().filter(|_| wanted(Part::Scan)) {
        eprintln!("scans …");
        rows.extend(scan::measure(&setup, imdsctl, arguments.fleet));
    }
    println!("{}", report::table(&rows));
    let file = out.join("bench.json");
    let json = format!("{:#}\n", report::json(&machine, &rows));
    fs::write(&file, json).map_err(|source| FiguresNotWritten {
        path: file.clone(),
        source,
    })?;
    println!("{}", file.display());
    Ok(())
}

fn sizes(arguments: &BenchArguments) -> Vec<ReportRow> {
    let size = |file: &Path| fs::metadata(file).map_or(f64::NAN, |metadata| metadata.len() as f64);
    let row = |what: &str, floor: Option<&Path>, enforcer: Option<&Path>| {
        ReportRow::new("size", what, Unit::Bytes)
            .floor(floor.map(size))
            .measured(enforcer.map(size))
    };
    vec![
        row(
            "function's binary",
            Some(&arguments.floor),
            Some(&arguments.enforcer),
        ),
        row(
            "release zip",
            arguments.floor_zip.as_deref(),
            arguments.zip.as_deref(),
        )
        .goal(Goal::AtMost(2.75 * 1024.0 * 1024.0)),
        row("imdsctl's binary", None, arguments.imdsctl.as_deref()),
    ]
}

fn existing(path: &str) -> Result<PathBuf, String> {
    // The functions run in another folder.
    let path = fs::canonicalize(path).map_err(|error| error.to_string())?;
    match path.is_file() {
        true => Ok(path),
        false => Err("it is not a file".to_owned()),
    }
}

/// The figures could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write `{}`: {source}", path.display())]
struct FiguresNotWritten {
    path: PathBuf,
    source: io::Error,
}
