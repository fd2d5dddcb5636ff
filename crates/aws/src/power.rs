//! Stops and terminates instances.

use std::collections::BTreeSet;

use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::types;
use aws_smithy_types::retry::RetryConfig;
use imds_core::instance::{InstanceId, State};

use crate::client::Client;
use crate::ec2::texts;
use crate::error::CallError;

/// The maximum number of ids in one `StopInstances` or `TerminateInstances` call.
pub const DISRUPTED_AT_ONCE: usize = 1000;

impl Client {
    /// Stops instances: all of them, or none if EC2 rejects one. Returns those that were stopped already.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn stop(
        &self,
        region: &str,
        ids: &[&InstanceId],
    ) -> Result<BTreeSet<InstanceId>, CallError> {
        let answer = self
            .call("StopInstances", region, |services| {
                services
                    .ec2()
                    .stop_instances()
                    .set_instance_ids(Some(texts(ids)))
                    .customize()
                    .config_override(once())
                    .send()
            })
            .await?;
        Ok(already(answer.stopping_instances, State::is_stopped))
    }

    /// Terminates instances. If EC2 does not know one id, it terminates none; if one instance is
    /// protected, EC2 terminates no instance in the same Availability Zone. Returns those that were
    /// terminated already.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn terminate(
        &self,
        region: &str,
        ids: &[&InstanceId],
    ) -> Result<BTreeSet<InstanceId>, CallError> {
        let answer = self
            .call("TerminateInstances", region, |services| {
                services
                    .ec2()
                    .terminate_instances()
                    .set_instance_ids(Some(texts(ids)))
                    .customize()
                    .config_override(once())
                    .send()
            })
            .await?;
        Ok(already(answer.terminating_instances, State::is_final))
    }
}

/// The SDK must not repeat a call whose answer was lost: the second answer would say that somebody else
/// had ended the instances.
fn once() -> Builder {
    Builder::default().retry_config(RetryConfig::disabled())
}

/// The instances that were in such a state before the call.
fn already(
    changes: Option<Vec<types::InstanceStateChange>>,
    is_such: fn(State) -> bool,
) -> BTreeSet<InstanceId> {
    let changes = changes.unwrap_or_default().into_iter();
    let already = changes.filter_map(|change| {
        let before = change.previous_state?.name?;
        let before = State::from_word(before.as_str())?;
        InstanceId::try_from(change.instance_id?)
            .ok()
            .filter(|_| is_such(before))
    });
    already.collect()
}
