//! Whether calls without a token are rejected on the first instances of a plan.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use imds_aws::Client;
use imds_core::canary::{CanaryCalls, LONGEST_PERIOD};
use imds_core::instance::InstanceId;
use imds_core::report::Unreachable;
use imds_core::usage::{CallData, NotKnown, RejectedCalls, Usage};
use jiff::Timestamp;

use crate::usage::usage_not_read;

/// What CloudWatch shows of all canaries.
#[derive(Debug, Default)]
pub struct CanaryCheck {
    /// Those whose calls are rejected.
    pub rejected: Vec<(InstanceId, RejectedCalls)>,
    /// Those of which it is not known, or the regions that could not be asked.
    pub unknown: Vec<Unreachable>,
}

/// Asks, region by region, for the calls of instances whose options were set after `since`.
pub async fn check_canaries(
    client: &Client,
    canaries: &BTreeMap<String, Vec<InstanceId>>,
    (since, now): (Timestamp, Timestamp),
) -> CanaryCheck {
    let begin = since.checked_sub(LONGEST_PERIOD).unwrap_or(since);
    let asked = canaries.iter().map(|(region, ids)| async move {
        let ids: Vec<&InstanceId> = ids.iter().collect();
        client.calls_by_minute(region, &ids, (begin, now)).await
    });
    let mut check = CanaryCheck::default();
    for ((region, ids), answer) in canaries.iter().zip(join_all(asked).await) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let unknown = Unreachable::fatal(region, usage_not_read(&error));
                check.unknown.push(unknown);
                continue;
            }
        };
        let none = CallData::default();
        for id in ids {
            match CanaryCalls::evaluate(answer.get(id).unwrap_or(&none), since) {
                CanaryCalls::NoneRejected => {}
                CanaryCalls::Rejected(rejected) => check.rejected.push((id.clone(), rejected)),
                CanaryCalls::NotKnown(because) => {
                    let unknown = Unreachable::fatal(region, not_known(id, since, because));
                    check.unknown.push(unknown);
                }
            }
        }
    }
    check
}

fn not_known(id: &InstanceId, since: Timestamp, because: NotKnown) -> String {
    let next = match because {
        NotKnown::NoData => format!(" since {since}: wait longer with `--pause`"),
        _ => String::new(),
    };
    format!("canary {id}: {}{next}", Usage::Unknown { because })
}
