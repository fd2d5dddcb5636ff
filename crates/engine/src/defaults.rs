//! Describes the account's metadata defaults, region by region, and sets them.

use futures_util::future::join;
use imds_aws::timing::{self, Backoff};
use imds_aws::{CallError, Client};
use imds_core::chain::chain;
use imds_core::defaults::{DefaultsReport, DefaultsStep, MetadataDefaults};
use imds_core::report::Unreachable;
use tokio::time::Instant;

use crate::changer::Changer;
use crate::record::Recorder;
use crate::regions::{OnProgress, RegionSelection, RegionsError};
use crate::scan::RegionDefaults;

/// The account defaults of all regions.
#[derive(Debug)]
pub struct DefaultsSurvey {
    /// The account, 12 digits, or why it is not known.
    pub account: Result<String, CallError>,
    /// In the order of the regions' names.
    pub defaults: Vec<RegionDefaults>,
    /// Regions whose defaults could not be described.
    pub unreachable: Vec<Unreachable>,
}

/// Describes the account defaults of the regions. `home`: a region that knows the others.
///
/// # Errors
/// Where the enabled regions cannot be described, or none is left.
pub async fn describe_defaults(
    client: &Client,
    home: &str,
    selection: &RegionSelection,
    on_progress: &OnProgress,
) -> Result<DefaultsSurvey, RegionsError> {
    let resolve = selection.resolve(client, home);
    let (regions, identity) = join(resolve, client.identity(home)).await;
    let describe = |region: String| async move {
        match client.metadata_defaults(&region).await {
            Ok(defaults) => Ok(RegionDefaults {
                account: None,
                region,
                defaults,
            }),
            Err(error) => Err(Unreachable::fatal(&region, chain(&error))),
        }
    };
    let regions = regions?.into_iter();
    let answers = selection.side_by_side(regions, on_progress, describe).await;
    let account = identity.map(|identity| identity.account);
    let known = account.as_ref().ok().cloned();
    let mut survey = DefaultsSurvey {
        account,
        defaults: Vec::new(),
        unreachable: Vec::new(),
    };
    for answer in answers {
        match answer {
            Ok(defaults) => survey.defaults.push(RegionDefaults {
                account: known.clone(),
                ..defaults
            }),
            Err(unreachable) => survey.unreachable.push(unreachable),
        }
    }
    Ok(survey)
}

/// Sets the account defaults of the regions. The reports are in the order of the steps.
pub async fn apply_defaults(
    client: &Client,
    steps: &[DefaultsStep],
    selection: &RegionSelection,
    recorder: Recorder<'_>,
    on_progress: &OnProgress,
) -> Vec<DefaultsReport> {
    let apply = |step| apply_step(client, step, recorder);
    selection
        .side_by_side(steps.iter(), on_progress, apply)
        .await
}

async fn apply_step(
    client: &Client,
    step: &DefaultsStep,
    recorder: Recorder<'_>,
) -> DefaultsReport {
    if !step.is_change() {
        return step.planned();
    }
    match set_defaults(client, step, recorder).await {
        Ok(after) => step.set(after),
        Err(error) => step.failed(error.found, &error.why),
    }
}

/// Why account defaults are not known to be set.
#[derive(Debug)]
pub(crate) struct NotSet {
    pub(crate) why: String,
    /// As they were described since.
    pub(crate) found: Option<MetadataDefaults>,
}

impl NotSet {
    fn because(why: String) -> Self {
        NotSet { why, found: None }
    }
}

/// Makes one recorded change of a region's account defaults, and returns them as EC2 describes them.
pub(crate) async fn set_defaults(
    client: &Client,
    step: &DefaultsStep,
    recorder: Recorder<'_>,
) -> Result<MetadataDefaults, NotSet> {
    let changer = Changer {
        client,
        deadline: Instant::now() + timing::COMMAND_RETRIES,
        recorder: Some(recorder),
    };
    let answer = changer.set_defaults(step).await;
    answer.map_err(|error| NotSet::because(error.why))?;
    described(client, step).await
}

/// The defaults once EC2 describes them as they were set.
async fn described(client: &Client, step: &DefaultsStep) -> Result<MetadataDefaults, NotSet> {
    let deadline = Instant::now() + timing::DEFAULTS_VISIBLE_WITHIN;
    let mut backoff = Backoff::default();
    loop {
        let answer = client.metadata_defaults(&step.region).await;
        let may_change = match &answer {
            Ok(found) if found.are_same(&step.to) => return Ok(found.clone()),
            Ok(_) => true,
            Err(error) => error.fault.is_retryable(),
        };
        if may_change && !client.is_halted() && backoff.wait(deadline).await {
            continue;
        }
        return Err(match answer {
            Ok(found) => NotSet {
                why: format!("EC2 accepted it, but {}", step.to.differences(&found)),
                found: Some(found),
            },
            Err(error) => {
                let cause = error.cause();
                NotSet::because(format!(
                    "EC2 accepted it, but does not describe it: {cause}"
                ))
            }
        });
    }
}
