//! A stand-in EC2 for people and benchmarks: prints its URL and runs until it is killed.

use std::time::Duration;

use clap::Parser;
use imds_tests::{Standin, launch};

/// A stand-in for EC2, STS, CloudWatch and Auto Scaling on loopback.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Milliseconds that every call takes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    latency_ms: u64,
    /// Throttle as EC2 does.
    #[arg(long)]
    real_rates: bool,
    /// Launch a fleet of so many instances over 17 regions, some of which answer IMDSv1.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fleet: usize,
    /// Launch so many instances that answer IMDSv1.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed_wrong: usize,
    /// The region of `--seed-wrong`.
    #[arg(long, default_value = "eu-central-1")]
    region: String,
}

fn main() {
    let arguments = Arguments::parse();
    let standin = Standin::start_on(arguments.port);
    standin.set_latency(Duration::from_millis(arguments.latency_ms));
    if arguments.real_rates {
        standin.with_real_rates(1.0);
    }
    standin.launch_fleet(arguments.fleet);
    if arguments.seed_wrong > 0 {
        standin.launch_many(
            launch(&arguments.region).tokens("optional"),
            arguments.seed_wrong,
        );
    }
    println!("{}", standin.url());
    loop {
        std::thread::park();
    }
}
