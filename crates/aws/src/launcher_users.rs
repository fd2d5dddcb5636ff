//! What launches instances from launch templates and launch configurations: Auto Scaling groups, EC2
//! Fleets and Spot Fleets.

use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification};
use aws_sdk_ec2::types::{
    BatchState, FleetData, FleetLaunchTemplateSpecification, FleetStateCode, SpotFleetRequestConfig,
};
use imds_core::launcher_use::{LauncherUse, LauncherUser, UsedLauncher};

use crate::client::Client;
use crate::convert::advance;
use crate::error::{CallError, Fault};

/// The maximum page size for Auto Scaling groups.
const GROUPS: i32 = 100;

impl Client {
    /// Finds what the Auto Scaling groups in a region launch instances from. A group with a mixed instances
    /// policy may use several launch templates.
    ///
    /// # Errors
    /// If Auto Scaling does not answer or rejects the call.
    pub async fn group_uses(&self, region: &str) -> Result<Vec<LauncherUse>, CallError> {
        let mut uses = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = self.call("DescribeAutoScalingGroups", region, |services| {
                services
                    .auto_scaling()
                    .describe_auto_scaling_groups()
                    .max_records(GROUPS)
                    .set_next_token(next.clone())
                    .send()
            });
            let page = page.await?;
            let groups = page.auto_scaling_groups.unwrap_or_default();
            uses.extend(groups.into_iter().flat_map(group_uses));
            if !advance(&mut next, page.next_token) {
                return Ok(uses);
            }
        }
    }

    /// Finds what the EC2 Fleets in a region launch instances from. Fleets of the type `instant` launch only
    /// once, and are not among them.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn fleet_uses(&self, region: &str) -> Result<Vec<LauncherUse>, CallError> {
        let mut uses = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = self.call("DescribeFleets", region, |services| {
                services
                    .ec2()
                    .describe_fleets()
                    .set_next_token(next.clone())
                    .send()
            });
            // Not every partition has fleets.
            let page = match page.await {
                Err(error) if error.fault == Fault::Unsupported => return Ok(uses),
                page => page?,
            };
            let fleets = page.fleets.unwrap_or_default();
            uses.extend(fleets.into_iter().flat_map(fleet_uses));
            if !advance(&mut next, page.next_token) {
                return Ok(uses);
            }
        }
    }

    /// Finds what the Spot Fleets in a region launch instances from.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn spot_fleet_uses(&self, region: &str) -> Result<Vec<LauncherUse>, CallError> {
        let mut uses = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = self.call("DescribeSpotFleetRequests", region, |services| {
                services
                    .ec2()
                    .describe_spot_fleet_requests()
                    .set_next_token(next.clone())
                    .send()
            });
            let page = match page.await {
                Err(error) if error.fault == Fault::Unsupported => return Ok(uses),
                page => page?,
            };
            let requests = page.spot_fleet_request_configs.unwrap_or_default();
            uses.extend(requests.into_iter().flat_map(spot_fleet_uses));
            if !advance(&mut next, page.next_token) {
                return Ok(uses);
            }
        }
    }
}

fn group_uses(group: AutoScalingGroup) -> Vec<LauncherUse> {
    let name = group.auto_scaling_group_name.unwrap_or_default();
    let by = |launcher, image| LauncherUse {
        user: LauncherUser::AutoScalingGroup { name: name.clone() },
        launcher,
        image,
    };
    let mut uses = Vec::new();
    if let Some(configuration) = group.launch_configuration_name {
        uses.push(by(UsedLauncher::Configuration(configuration), None));
    }
    if let Some(template) = group.launch_template {
        uses.push(by(of_group(template), None));
    }
    let mixed = group
        .mixed_instances_policy
        .and_then(|it| it.launch_template);
    let Some(mixed) = mixed else {
        return uses;
    };
    let overrides = mixed.overrides.unwrap_or_default();
    let whole = mixed.launch_template_specification;
    if let Some(whole) = whole.clone().filter(|_| overrides.is_empty()) {
        uses.push(by(of_group(whole), None));
    }
    for one in overrides {
        let template = one.launch_template_specification.or_else(|| whole.clone());
        if let Some(template) = template {
            uses.push(by(of_group(template), one.image_id));
        }
    }
    uses
}

fn fleet_uses(fleet: FleetData) -> Vec<LauncherUse> {
    let launches = [
        FleetStateCode::Active,
        FleetStateCode::Modifying,
        FleetStateCode::Submitted,
    ];
    if !fleet
        .fleet_state
        .is_some_and(|state| launches.contains(&state))
    {
        return Vec::new();
    }
    let id = fleet.fleet_id.unwrap_or_default();
    let mut uses = Vec::new();
    for config in fleet.launch_template_configs.unwrap_or_default() {
        let Some(template) = config.launch_template_specification.map(of_fleet) else {
            continue;
        };
        let overrides = config.overrides.unwrap_or_default().into_iter();
        let mut images: Vec<Option<String>> = overrides.map(|one| one.image_id).collect();
        if images.is_empty() {
            images.push(None);
        }
        uses.extend(images.into_iter().map(|image| LauncherUse {
            user: LauncherUser::Ec2Fleet { id: id.clone() },
            launcher: template.clone(),
            image,
        }));
    }
    uses
}

fn spot_fleet_uses(request: SpotFleetRequestConfig) -> Vec<LauncherUse> {
    let launches = [
        BatchState::Active,
        BatchState::Modifying,
        BatchState::Submitted,
    ];
    let state = request.spot_fleet_request_state;
    if !state.is_some_and(|state| launches.contains(&state)) {
        return Vec::new();
    }
    let id = request.spot_fleet_request_id.unwrap_or_default();
    let config = request.spot_fleet_request_config;
    let configs = config.and_then(|config| config.launch_template_configs);
    let configs = configs.unwrap_or_default().into_iter();
    let templates = configs.filter_map(|config| config.launch_template_specification);
    let uses = templates.map(|template| LauncherUse {
        user: LauncherUser::SpotFleet { id: id.clone() },
        launcher: of_fleet(template),
        image: None,
    });
    uses.collect()
}

fn of_group(template: LaunchTemplateSpecification) -> UsedLauncher {
    UsedLauncher::Template {
        id: template.launch_template_id,
        name: template.launch_template_name,
        version: template.version,
    }
}

fn of_fleet(template: FleetLaunchTemplateSpecification) -> UsedLauncher {
    UsedLauncher::Template {
        id: template.launch_template_id,
        name: template.launch_template_name,
        version: template.version,
    }
}
