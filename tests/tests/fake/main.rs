//! Tests of the fake over HTTP: it must behave as AWS does, or tests against it prove nothing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support"
)]

mod account;
mod attachments;
mod client;
mod cloudwatch;
mod describe;
mod describe_pages;
mod describe_visibility;
mod dry_runs;
mod dynamodb;
mod dynamodb_client;
mod dynamodb_conditions;
mod dynamodb_expressions;
mod dynamodb_faults;
mod dynamodb_scan;
mod dynamodb_updates;
mod dynamodb_values;
mod faults;
mod fleet;
mod images;
mod launch_configurations;
mod ledger;
mod managed;
mod metrics;
mod metrics_wire;
mod modify;
mod option_refusals;
mod power;
mod rates;
mod record;
mod run;
mod spot;
mod templates;

pub(crate) const REGION: &str = "eu-central-1";
