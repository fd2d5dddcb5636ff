//! The details of events that are not CloudTrail records.

use serde::Deserialize;

use super::envelope::Envelope;
use super::field::{check_region, instance_id, region, shown, time_of};
use super::lenient::Text;
use super::malformed::{Malformed, read};
use super::{Event, Ignored, Origin, Reason, Start, Sweep};
use crate::instance::State;

pub(super) fn start(detail: &str, envelope: &Envelope) -> Result<Event, Malformed> {
    #[derive(Deserialize)]
    struct StartDetail {
        #[serde(rename = "instance-id", alias = "instance_id", default)]
        instance_id: Option<Text>,
        #[serde(default)]
        state: Option<Text>,
    }
    let Some(detail) = read::<Option<StartDetail>>(detail).map_err(|e| e.under("detail"))? else {
        return Err(Malformed::new(
            "detail",
            "missing: expected `instance-id` and `state`",
        ));
    };
    let instance_id = instance_id(detail.instance_id, "detail.instance-id")?;
    let Some(word) = detail.state else {
        return Err(Malformed::new(
            "detail.state",
            "missing: expected the instance's state",
        ));
    };
    match State::from_word(&word) {
        Some(State::Pending | State::Running) => {
            let origin = origin(envelope)?;
            let instance_ids = vec![instance_id];
            Ok(Event::Start(Start {
                origin,
                instance_ids,
            }))
        }
        Some(
            state @ (State::Stopping | State::Stopped | State::ShuttingDown | State::Terminated),
        ) => Ok(ignored(envelope, Reason::OtherState(instance_id, state))),
        None => Err(Malformed::new(
            "detail.state",
            format!("`{}` is not an instance state", &*word),
        )),
    }
}

pub(super) fn sweep(detail: &str, envelope: &Envelope) -> Result<Event, Malformed> {
    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    struct SweepDetail {
        #[serde(default)]
        accounts: Option<Vec<String>>,
        #[serde(default)]
        regions: Option<Vec<String>>,
    }
    let detail: Option<SweepDetail> = read(detail).map_err(|e| e.under("detail"))?;
    let SweepDetail { accounts, regions } = detail.unwrap_or_default();
    if accounts.as_ref().is_some_and(Vec::is_empty) {
        return Err(Malformed::new(
            "detail.accounts",
            "empty: leave it out for the function's own account",
        ));
    }
    for (n, account) in accounts.iter().flatten().enumerate() {
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Malformed::new(
                format!("detail.accounts[{n}]"),
                format!("`{account}`: expected an account of 12 digits"),
            ));
        }
    }
    if regions.as_ref().is_some_and(Vec::is_empty) {
        return Err(Malformed::new(
            "detail.regions",
            "empty: leave it out for all regions",
        ));
    }
    for (n, region) in regions.iter().flatten().enumerate() {
        check_region(region, &format!("detail.regions[{n}]"))?;
    }
    let account = envelope.account.as_deref().map(shown);
    Ok(Event::Sweep(Sweep {
        account,
        accounts,
        regions,
    }))
}

pub(super) fn ignored(envelope: &Envelope, reason: Reason) -> Event {
    Event::Ignored(Ignored {
        account: envelope.account.as_deref().map(shown),
        region: envelope.region.as_deref().map(shown),
        reason,
    })
}

fn origin(envelope: &Envelope) -> Result<Origin, Malformed> {
    Ok(Origin {
        account: envelope.account.as_deref().map(shown),
        region: region(envelope.region.as_deref(), "region")?,
        time: time_of(envelope),
        principals: Vec::new(),
    })
}
