//! A fake AWS for trying things by hand: prints its URL and runs until it is killed.
#![allow(clippy::expect_used, clippy::panic, reason = "test support")]

mod seeds;

use std::collections::BTreeMap;
use std::io::stdin;
use std::time::Duration;

use clap::Parser;
use imds_tests::{FakeAws, launch};
use seeds::Seed;

/// A fake of EC2, STS, CloudWatch, Auto Scaling and DynamoDB on loopback.
#[derive(Debug, Parser)]
struct FakeArguments {
    /// Port to listen on; 0 takes a free port.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Delay of every call, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    latency_ms: u64,
    /// Throttle as EC2 does.
    #[arg(long)]
    real_rates: bool,
    /// Launch a fleet of this many instances over 17 regions; some allow IMDSv1.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fleet: usize,
    /// Launch this many instances that allow IMDSv1.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed_non_compliant: usize,
    /// The region of `--seed-non-compliant`.
    #[arg(long, default_value = "eu-central-1")]
    region: String,
    /// Read from standard input what to add, a line of JSON each, and print its id or `null`; exit
    /// at the end of the input.
    #[arg(long)]
    seeds: bool,
    /// Print the actions of each service and their parameters as JSON, and exit.
    #[arg(long)]
    list_actions: bool,
}

fn main() {
    let arguments = FakeArguments::parse();
    if arguments.list_actions {
        print_actions();
        return;
    }
    let fake = FakeAws::start_on(arguments.port);
    fake.set_latency(Duration::from_millis(arguments.latency_ms));
    if arguments.real_rates {
        fake.with_real_rates(1.0);
    }
    fake.launch_fleet(arguments.fleet);
    if arguments.seed_non_compliant > 0 {
        fake.launch_many(
            launch(&arguments.region).tokens("optional"),
            arguments.seed_non_compliant,
        );
    }
    println!("{}", fake.url());
    if arguments.seeds {
        for line in stdin().lines() {
            let line = line.expect("standard input is text");
            let seed: Seed = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("cannot add {line}: {error}"));
            println!("{}", seed.add(&fake));
        }
        return;
    }
    loop {
        std::thread::park();
    }
}

fn print_actions() {
    let mut services: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (service, action, parameters) in imds_tests::fake::actions() {
        let actions = services.entry(service).or_default();
        actions.insert(action, parameters);
    }
    println!("{}", serde_json::json!(services));
}
