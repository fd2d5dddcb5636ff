//! The arguments of `imdsctl explain`.

use std::path::PathBuf;

use clap::Args;

use super::PlainOutput;

#[derive(Debug, Args)]
#[command(
    after_help = "EVENT.json is one of these, or contains several of them, one after the other:
  an event of EventBridge
  a record of CloudTrail, or a log file of a trail
  a message of SNS or SQS, or the record that Lambda sends to a destination
  the output of `aws cloudtrail lookup-events`, `aws sqs receive-message`, or
  `aws logs filter-log-events`, or a log that CloudWatch Logs exported
One may contain another, such as a message of SQS one of SNS. The file may be compressed
with gzip, and in UTF-16 if it begins with a byte order mark.

Examples:
  imdsctl explain events/launch-open.json --policy events/policy.json
  aws sqs receive-message --queue-url URL | imdsctl explain - --policy policy.json"
)]
pub(crate) struct ExplainArgs {
    /// One event or several; `-` is standard input
    #[arg(value_name = "EVENT.json")]
    pub(crate) event: PathBuf,
    /// The function's policy
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    #[command(flatten)]
    pub(crate) output: PlainOutput,
}
