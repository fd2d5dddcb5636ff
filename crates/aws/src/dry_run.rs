//! Checks whether a call is allowed without making it.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html>

use aws_sdk_ec2::types::HttpTokensState;
use imds_core::instance::InstanceId;

use crate::client::Client;
use crate::error::{CallError, Fault};

impl Client {
    /// Checks whether the caller may require tokens on an instance. Like the real call, the dry run sets
    /// nothing else.
    ///
    /// # Errors
    /// If EC2 does not answer, or rejects the call for any reason other than a missing permission.
    pub async fn may_set_options(&self, region: &str, id: &InstanceId) -> Result<bool, CallError> {
        const ACTION: &str = "ModifyInstanceMetadataOptions";
        let answer = self.call(ACTION, region, |services| {
            services
                .ec2()
                .modify_instance_metadata_options()
                .dry_run(true)
                .instance_id(id.as_str())
                .http_tokens(HttpTokensState::Required)
                .send()
        });
        match answer.await {
            Ok(_) => {
                let done = "a dry run was answered as if it had been carried out";
                Err(CallError::unreadable(ACTION, region, done))
            }
            Err(error) => match error.fault {
                Fault::DryRun => Ok(true),
                Fault::Unauthorized => Ok(false),
                _ => Err(error),
            },
        }
    }
}
