//! Permissions in one region.

use futures_util::future::{join_all, join3};
use imds_aws::{CallError, Client, Fault, Metric, Trial};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HttpTokens, Toggle};
use jiff::{SignedDuration, Timestamp};

use super::check::Check;
use super::need::Need;

const DESCRIBE: &str = "ec2:DescribeInstances";
const READ: &str = "cloudwatch:GetMetricData";
const DEFAULTS: &str = "ec2:GetInstanceMetadataDefaults";
const SET_OPTIONS: &str = "ec2:ModifyInstanceMetadataOptions";
const USER_DATA: &str = "ec2:DescribeInstanceAttribute";

/// Checks every permission; only one if the region does not answer, as the others would fail alike.
pub(super) async fn check(client: &Client, region: String, now: Timestamp) -> Vec<Check> {
    let described = client.pages(&region, &[]).next().await;
    let instances = match &described {
        Ok(page) => page.as_ref().map_or(&[][..], |page| &page.instances),
        Err(error) if error.is_denied() => &[],
        Err(error) => return vec![refused(DESCRIBE, error).of(Some(&region), Need::Scan)],
    };
    let describe = verdict(DESCRIBE, described.as_ref().err());
    let without = match describe.is_fine() {
        true => "not tried: the region has no instance to try it on",
        false => "not tried: no instance can be described",
    };
    let on = |what, trial| try_on(client, &region, trial, (what, without));
    let steady = instances.iter().find(|it| is_steady(it));
    let instance_calls = join3(
        read(client, &region, instances, now),
        on(USER_DATA, steady.map(|it| Trial::UserData(&it.id))),
        on(
            SET_OPTIONS,
            example(instances).map(|it| Trial::SetOptions(&it.id)),
        ),
    );
    let others = [
        (Need::Templates, Trial::LaunchTemplates),
        (Need::Templates, Trial::LaunchTemplateVersions),
        (Need::Templates, Trial::Images),
        (Need::Templates, Trial::LaunchConfigurations),
        (Need::Templates, Trial::AutoScalingGroups),
        (Need::Templates, Trial::Fleets),
        (Need::Templates, Trial::SpotFleets),
        (Need::SetDefaults, Trial::SetMetadataDefaults),
    ];
    let others = others.map(|(need, trial)| {
        let region = &region;
        async move { (need, try_call(client, region, trial).await) }
    });
    let ((usage, user_data, set_options), defaults, others) =
        join3(instance_calls, defaults(client, &region), join_all(others)).await;
    let checks = [
        (Need::Scan, describe),
        (Need::Usage, usage),
        (Need::UserData, user_data),
        (Need::Defaults, defaults),
        (Need::Enforce, set_options),
    ];
    let checks = checks.into_iter().chain(others);
    checks
        .map(|(need, check)| check.of(Some(&region), need))
        .collect()
}

async fn defaults(client: &Client, region: &str) -> Check {
    match client.metadata_defaults(region).await {
        Ok(defaults) if defaults.enforces_tokens() => Check::note(
            DEFAULTS,
            "HttpTokensEnforced is on: `imdsctl rollback` cannot make tokens optional here"
                .to_owned(),
        ),
        answer => verdict(DEFAULTS, answer.as_ref().err()),
    }
}

/// Checks whether metrics may be read: those of an instance if there is one, else those of an instance
/// that does not exist.
async fn read(client: &Client, region: &str, instances: &[Instance], now: Timestamp) -> Check {
    let nobody = nobody();
    let id = instances.first().map(|instance| &instance.id);
    let ids: Vec<&InstanceId> = id.or(nobody.as_ref()).into_iter().collect();
    let begin = now
        .checked_sub(SignedDuration::from_hours(1))
        .unwrap_or(now);
    let window = (begin, now);
    let answer = client.call_data(region, &[Metric::NoToken], &ids, window);
    verdict(READ, answer.await.as_ref().err())
}

/// An instance that does not exist.
pub(super) fn nobody() -> Option<InstanceId> {
    InstanceId::try_from("i-00000000000000000").ok()
}

/// Finds an instance whose endpoint is enabled; preferably one that already has the options that the dry
/// run sets.
fn example(instances: &[Instance]) -> Option<&Instance> {
    let fit = |instance: &&Instance| {
        let enabled = instance.options.http_endpoint == Some(Toggle::Enabled);
        is_steady(instance) && enabled && instance.managed_by.is_none()
    };
    let required = |instance: &&Instance| {
        fit(instance) && instance.options.http_tokens == Some(HttpTokens::Required)
    };
    let any = || instances.iter().find(fit);
    instances.iter().find(required).or_else(any)
}

fn is_steady(instance: &Instance) -> bool {
    matches!(instance.state, Some(State::Running | State::Stopped))
}

/// Tries a call on an instance, if there is one.
async fn try_on(
    client: &Client,
    region: &str,
    trial: Option<Trial<'_>>,
    (what, without): (&str, &str),
) -> Check {
    match trial {
        Some(trial) => try_call(client, region, trial).await,
        None => Check::note(what, without.to_owned()),
    }
}

async fn try_call(client: &Client, region: &str, trial: Trial<'_>) -> Check {
    let answer = client.try_call(region, trial).await;
    verdict(&trial.permission(), answer.as_ref().err())
}

fn verdict(what: &str, error: Option<&CallError>) -> Check {
    match error {
        None => Check::fine(what, "allowed".to_owned()),
        Some(error) if what == DESCRIBE || error.is_denied() => refused(what, error),
        Some(error) => Check::note(what, format!("not known: {}", error.cause())),
    }
}

pub(super) fn refused(what: &str, error: &CallError) -> Check {
    let next = match error.fault {
        Fault::Unauthorized if error.is_denied() => allow(what, error.denied_by()),
        Fault::Unauthorized => {
            "enable the region for the account, or exclude it with `--exclude-region`".to_owned()
        }
        Fault::Credentials => "renew the credentials, and check the clock".to_owned(),
        _ => "try again; check that the region's endpoints can be reached".to_owned(),
    };
    // Where a policy is named, the resource is not, so that equal regions have equal lines.
    let found = match error.denied_by() {
        Some(by) => format!("denied {by}"),
        None => error.cause(),
    };
    Check::failed(what, found, &next)
}

/// Who can allow it.
fn allow(what: &str, denied_by: Option<&str>) -> String {
    let by = denied_by.unwrap_or_default();
    let is_of = |kind: &str| by.contains(kind);
    if is_of("service control policy") || is_of("resource control policy") {
        format!("an administrator of the organization must allow {what}")
    } else if is_of("permissions boundary") {
        format!("allow {what} in the permissions boundary")
    } else if is_of("session policy") {
        format!("allow {what} in the policy of the session")
    } else if is_of("explicit deny") {
        format!("remove what denies {what}")
    } else {
        format!("allow {what}")
    }
}
