//! A fake AWS for trying things by hand: prints its URL and runs until it is killed.

use std::time::Duration;

use clap::Parser;
use imds_tests::{FakeAws, launch};

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
}

fn main() {
    let arguments = FakeArguments::parse();
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
    loop {
        std::thread::park();
    }
}
