//! Permissions in one region.

use futures_util::future::join;
use imds_aws::{CallError, Client, Fault, Metric};
use imds_core::chain::chain;
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HttpTokens, Toggle};
use jiff::{SignedDuration, Timestamp};

use super::check::Check;

const DESCRIBE: &str = "ec2:DescribeInstances";
const READ: &str = "cloudwatch:GetMetricData";
const ENFORCE: &str = "ec2:ModifyInstanceMetadataOptions";
const DEFAULTS: &str = "ec2:GetInstanceMetadataDefaults";

pub(super) async fn check(client: &Client, region: String, now: Timestamp) -> Vec<Check> {
    let (instances, defaults) = join(
        instances(client, &region, now),
        client.metadata_defaults(&region),
    )
    .await;
    let defaults = match defaults {
        Ok(defaults) if defaults.enforces_tokens() => Check::note(
            DEFAULTS,
            "HttpTokensEnforced is on: `imdsctl rollback` cannot make tokens optional here"
                .to_owned(),
        ),
        Ok(_) => Check::fine(DEFAULTS, "allowed".to_owned()),
        Err(error) => refused(DEFAULTS, &error),
    };
    let checks = instances.into_iter().chain([defaults]);
    checks.map(|check| check.in_region(&region)).collect()
}

async fn instances(client: &Client, region: &str, now: Timestamp) -> Vec<Check> {
    let (describe, instances) = match client.pages(region, &[]).next().await {
        Ok(page) => (
            Check::fine(DESCRIBE, "allowed".to_owned()),
            page.unwrap_or_default().instances,
        ),
        Err(error) => (refused(DESCRIBE, &error), Vec::new()),
    };
    let (read, enforce) = join(read(client, region, &instances, now), async {
        match example(&instances) {
            Some(instance) => enforce(client, instance).await,
            None if describe.is_failed() => Check::note(
                ENFORCE,
                "not tried: no instance can be described".to_owned(),
            ),
            None => Check::note(
                ENFORCE,
                "not tried: the region has no instance for a dry run".to_owned(),
            ),
        }
    })
    .await;
    vec![describe, read, enforce]
}

/// Checks whether metrics may be read: those of an instance if there is one, else those of an instance
/// that does not exist.
async fn read(client: &Client, region: &str, instances: &[Instance], now: Timestamp) -> Check {
    let nobody = InstanceId::try_from("i-00000000000000000").ok();
    let id = instances.first().map(|instance| &instance.id);
    let ids: Vec<&InstanceId> = id.or(nobody.as_ref()).into_iter().collect();
    let begin = now
        .checked_sub(SignedDuration::from_hours(1))
        .unwrap_or(now);
    match client
        .call_data(region, &[Metric::NoToken], &ids, (begin, now))
        .await
    {
        Ok(_) => Check::fine(READ, "allowed".to_owned()),
        Err(error) => refused(READ, &error),
    }
}

/// Finds an instance whose endpoint is enabled; preferably one that already has the options that the dry
/// run sets.
fn example(instances: &[Instance]) -> Option<&Instance> {
    let fit = |instance: &&Instance| {
        let steady = matches!(instance.state, Some(State::Running | State::Stopped));
        let enabled = instance.options.http_endpoint == Some(Toggle::Enabled);
        steady && enabled && instance.managed_by.is_none()
    };
    let required = |instance: &&Instance| {
        fit(instance) && instance.options.http_tokens == Some(HttpTokens::Required)
    };
    let any = || instances.iter().find(fit);
    instances.iter().find(required).or_else(any)
}

async fn enforce(client: &Client, instance: &Instance) -> Check {
    let Instance { region, id, .. } = instance;
    match client.may_set_options(region, id).await {
        Ok(true) => Check::fine(ENFORCE, format!("allowed by a dry run on {id}")),
        Ok(false) => {
            let next = format!("allow {ENFORCE}");
            Check::failed(ENFORCE, format!("a dry run on {id} was denied"), &next)
        }
        Err(error) => Check::note(
            ENFORCE,
            format!("not known: a dry run on {id} failed: {}", error.cause()),
        ),
    }
}

fn refused(what: &'static str, error: &CallError) -> Check {
    let cause = error.cause();
    let closed = ["AuthFailure", "OptInRequired"];
    let closed = closed.iter().any(|code| cause.starts_with(code));
    let next = match error.fault {
        Fault::Unauthorized if closed => {
            "enable the region for the account, or exclude it with `--exclude-region`".to_owned()
        }
        Fault::Unauthorized => format!("allow {what}"),
        Fault::Credentials => "renew the credentials, and check the clock".to_owned(),
        Fault::NotFound
        | Fault::IncorrectState
        | Fault::Protected
        | Fault::Unsupported
        | Fault::Refused
        | Fault::DryRun
        | Fault::Throttled
        | Fault::Transient
        | Fault::Unreadable
        | Fault::Halted => "try again; check that the region's endpoints can be reached".to_owned(),
    };
    Check::failed(what, chain(error), &next)
}
