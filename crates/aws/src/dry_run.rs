//! Checks whether calls are allowed, without effect.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html>

use aws_sdk_ec2::types::{HttpTokensState, InstanceAttributeName, MetadataDefaultHttpTokensState};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use imds_core::instance::InstanceId;

use crate::client::Client;
use crate::error::{CallError, Fault};
use crate::permissions::permission;
use crate::services::Services;

/// A call to try: a dry run, or where there is none, a call that reads one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial<'a> {
    /// Requires tokens on this instance. Like the real call, it sets nothing else.
    SetOptions(&'a InstanceId),
    /// Reads the user data of this instance.
    UserData(&'a InstanceId),
    /// Describes launch templates.
    LaunchTemplates,
    /// Describes versions of launch templates.
    LaunchTemplateVersions,
    /// Describes images.
    Images,
    /// Describes launch configurations.
    LaunchConfigurations,
    /// Describes Auto Scaling groups.
    AutoScalingGroups,
    /// Describes EC2 Fleets.
    Fleets,
    /// Describes Spot Fleet requests.
    SpotFleets,
    /// Sets the account's metadata defaults.
    SetMetadataDefaults,
}

impl Trial<'_> {
    fn action(self) -> &'static str {
        match self {
            Trial::SetOptions(_) => "ModifyInstanceMetadataOptions",
            Trial::UserData(_) => "DescribeInstanceAttribute",
            Trial::LaunchTemplates => "DescribeLaunchTemplates",
            Trial::LaunchTemplateVersions => "DescribeLaunchTemplateVersions",
            Trial::Images => "DescribeImages",
            Trial::LaunchConfigurations => "DescribeLaunchConfigurations",
            Trial::AutoScalingGroups => "DescribeAutoScalingGroups",
            Trial::Fleets => "DescribeFleets",
            Trial::SpotFleets => "DescribeSpotFleetRequests",
            Trial::SetMetadataDefaults => "ModifyInstanceMetadataDefaults",
        }
    }

    /// The permission that it needs, such as `ec2:DescribeImages`.
    pub fn permission(self) -> String {
        permission(self.action())
    }
}

impl Client {
    /// Tries a call without effect.
    ///
    /// # Errors
    /// With [`Fault::Unauthorized`] if it is not allowed; with another fault, it is not known.
    pub async fn try_call(&self, region: &str, trial: Trial<'_>) -> Result<(), CallError> {
        let action = trial.action();
        match trial {
            Trial::SetOptions(id) => {
                let tokens = HttpTokensState::Required;
                self.rehearse(action, region, |services| {
                    let call = services.ec2().modify_instance_metadata_options();
                    call.instance_id(id.as_str())
                        .http_tokens(tokens.clone())
                        .dry_run(true)
                        .send()
                })
                .await
            }
            Trial::UserData(id) => {
                let user_data = InstanceAttributeName::UserData;
                self.rehearse(action, region, |services| {
                    let call = services.ec2().describe_instance_attribute();
                    call.instance_id(id.as_str())
                        .attribute(user_data.clone())
                        .dry_run(true)
                        .send()
                })
                .await
            }
            Trial::LaunchTemplates => {
                self.rehearse(action, region, |services| {
                    services
                        .ec2()
                        .describe_launch_templates()
                        .dry_run(true)
                        .send()
                })
                .await
            }
            Trial::LaunchTemplateVersions => {
                self.rehearse(action, region, |services| {
                    let call = services.ec2().describe_launch_template_versions();
                    call.versions("$Latest").dry_run(true).send()
                })
                .await
            }
            Trial::Images => {
                self.rehearse(action, region, |services| {
                    services.ec2().describe_images().dry_run(true).send()
                })
                .await
            }
            Trial::LaunchConfigurations => self.try_launch_configurations(region).await,
            Trial::AutoScalingGroups => self.try_auto_scaling_groups(region).await,
            Trial::Fleets => {
                self.rehearse(action, region, |services| {
                    services.ec2().describe_fleets().dry_run(true).send()
                })
                .await
            }
            Trial::SpotFleets => {
                self.rehearse(action, region, |services| {
                    let call = services.ec2().describe_spot_fleet_requests();
                    call.dry_run(true).send()
                })
                .await
            }
            Trial::SetMetadataDefaults => {
                let tokens = MetadataDefaultHttpTokensState::Required;
                self.rehearse(action, region, |services| {
                    let call = services.ec2().modify_instance_metadata_defaults();
                    call.http_tokens(tokens.clone()).dry_run(true).send()
                })
                .await
            }
        }
    }

    /// Auto Scaling has no dry runs.
    async fn try_launch_configurations(&self, region: &str) -> Result<(), CallError> {
        let action = Trial::LaunchConfigurations.action();
        let answer = self.call(action, region, |services| {
            let call = services.auto_scaling().describe_launch_configurations();
            call.max_records(1).send()
        });
        answer.await.map(drop)
    }

    async fn try_auto_scaling_groups(&self, region: &str) -> Result<(), CallError> {
        let action = Trial::AutoScalingGroups.action();
        let answer = self.call(action, region, |services| {
            let call = services.auto_scaling().describe_auto_scaling_groups();
            call.max_records(1).send()
        });
        answer.await.map(drop)
    }

    /// Sends a dry run, which AWS answers with an error in any case.
    async fn rehearse<T, E, F>(
        &self,
        action: &'static str,
        region: &str,
        send: impl Fn(&Services) -> F,
    ) -> Result<(), CallError>
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        match self.call(action, region, send).await {
            Ok(_) => {
                let done = "a dry run was answered as if it had been carried out";
                Err(CallError::unreadable(action, region, done))
            }
            Err(error) if error.fault == Fault::DryRun => Ok(()),
            Err(error) => Err(error),
        }
    }
}
