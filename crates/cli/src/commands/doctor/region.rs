//! What may be done in one region.

use std::sync::Arc;

use futures_util::future::join;
use imds_aws::{CallError, Client, Fault, Metric};
use imds_core::chain::chain;
use imds_core::instance::{HttpTokens, Instance, InstanceId, State, Toggle};
use jiff::{SignedDuration, Timestamp};

use super::check::Check;

const SEE: &str = "ec2:DescribeInstances";
const READ: &str = "cloudwatch:GetMetricData";
const MEND: &str = "ec2:ModifyInstanceMetadataOptions";
const DEFAULTS: &str = "ec2:GetInstanceMetadataDefaults";

pub(super) async fn look(client: Arc<Client>, region: String, now: Timestamp) -> Vec<Check> {
    let (instances, defaults) = join(
        instances(&client, &region, now),
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
    checks.map(|check| check.of(&region)).collect()
}

async fn instances(client: &Client, region: &str, now: Timestamp) -> Vec<Check> {
    let (see, instances) = match client.pages(region, &[]).next().await {
        Ok(page) => (
            Check::fine(SEE, "allowed".to_owned()),
            page.unwrap_or_default().instances,
        ),
        Err(error) => (refused(SEE, &error), Vec::new()),
    };
    let (read, mend) = join(read(client, region, &instances, now), async {
        match example(&instances) {
            Some(instance) => mend(client, instance).await,
            None if see.is_wrong() => {
                Check::note(MEND, "not tried: no instance is seen".to_owned())
            }
            None => Check::note(
                MEND,
                "not tried: the region has no instance to try it on by a dry run".to_owned(),
            ),
        }
    })
    .await;
    vec![see, read, mend]
}

/// Whether a metric may be read; of an instance if there is one, else of one that there is not.
async fn read(client: &Client, region: &str, instances: &[Instance], now: Timestamp) -> Check {
    let nobody = InstanceId::try_from("i-00000000000000000").ok();
    let id = instances.first().map(|instance| &instance.id);
    let ids: Vec<&InstanceId> = id.or(nobody.as_ref()).into_iter().collect();
    let begin = now
        .checked_sub(SignedDuration::from_hours(1))
        .unwrap_or(now);
    match client
        .datapoints(region, Metric::NoToken, &ids, (begin, now))
        .await
    {
        Ok(_) => Check::fine(READ, "allowed".to_owned()),
        Err(error) => refused(READ, &error),
    }
}

/// An instance whose endpoint is enabled; best one that requires tokens, for what the dry run names
/// is then there already.
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

async fn mend(client: &Client, instance: &Instance) -> Check {
    let Instance { region, id, .. } = instance;
    match client.may_set_options(region, id).await {
        Ok(true) => Check::fine(MEND, format!("allowed by a dry run on {id}")),
        Ok(false) => {
            let next = format!("allow {MEND}");
            Check::wrong(MEND, format!("refused to a dry run on {id}"), &next)
        }
        Err(error) => Check::note(
            MEND,
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
            "enable the region for the account, or leave it out with `--exclude-region`".to_owned()
        }
        Fault::Unauthorized => format!("allow {what}"),
        Fault::Credentials => "renew the credentials, and see that the clock is right".to_owned(),
        Fault::NotFound
        | Fault::WrongState
        | Fault::Protected
        | Fault::Refused
        | Fault::DryRun
        | Fault::Throttled
        | Fault::Passing
        | Fault::Unreadable
        | Fault::Halted => "try again; see that the region's endpoints can be reached".to_owned(),
    };
    Check::wrong(what, chain(error), &next)
}
