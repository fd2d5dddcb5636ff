//! The events about a group of instances: what happened, what is handed over again, and what is made up.

use imds_tests::FakeAws;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{
    DAY, HOUR, REGION, ago, ahead, cut, happened, launched_ids, modified, started, state_changed,
};

/// What tells of a group of instances.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tell {
    Launch,
    /// Without ids; their token says which they are.
    CutLaunch,
    /// Without ids and token.
    CutLaunchWithoutToken,
    /// A launch whose event comes 20 hours later.
    LateLaunch,
    /// A launch, handed over again 30 days later.
    ReplayedLaunch,
    /// A launch of now that names them.
    ForgedLaunch,
    /// A launch of tomorrow that names them.
    LaunchOfTomorrow,
    /// A launch of now with a tag that EC2 does not show.
    LaunchWithTag(&'static str, &'static str),
    Start,
    StateChange(&'static str),
    /// Somebody makes tokens optional, or says so.
    Drift,
    /// A start, handed over again 30 days later.
    ReplayedStart,
}

impl Tell {
    /// The events, and the instances that each is about, as far as it tells.
    pub(super) fn events(
        self,
        ec2: &FakeAws,
        token: &str,
        ids: &[String],
    ) -> Vec<(Value, Option<Vec<String>>)> {
        let named: Vec<&str> = ids.iter().map(String::as_str).collect();
        let each = |event: &dyn Fn(&String) -> Value| {
            let events = ids.iter().map(|id| (event(id), Some(vec![id.clone()])));
            events.collect::<Vec<_>>()
        };
        let event = match self {
            Tell::Launch => launched_ids(ec2, ids),
            Tell::CutLaunch => cut(REGION, Some(token), ids.len()),
            Tell::CutLaunchWithoutToken => {
                return vec![(cut(REGION, None, ids.len()), None)];
            }
            Tell::ReplayedLaunch => happened(launched_ids(ec2, ids), ago(30 * DAY)),
            Tell::LateLaunch => happened(launched_ids(ec2, ids), ago(20 * HOUR)),
            Tell::ForgedLaunch => forged(launched_ids(ec2, ids)),
            Tell::LaunchOfTomorrow => happened(launched_ids(ec2, ids), ahead(DAY)),
            Tell::LaunchWithTag(key, value) => with_tag(launched_ids(ec2, ids), key, value),
            Tell::Start => started(&named),
            Tell::ReplayedStart => happened(started(&named), ago(30 * DAY)),
            Tell::StateChange(state) => return each(&|id| state_changed(id, state)),
            Tell::Drift => {
                let open = json!({ "HttpTokens": "optional" });
                return each(&|id| modified(id, "mallory", &open));
            }
        };
        let mut all = ids.to_vec();
        all.sort_unstable();
        vec![(event, Some(all))]
    }
}

fn items(event: &mut Value) -> &mut Vec<Value> {
    let items = &mut event["detail"]["responseElements"]["instancesSet"]["items"];
    items.as_array_mut().unwrap()
}

fn forged(mut event: Value) -> Value {
    for item in items(&mut event) {
        item["launchTime"] = json!(Timestamp::now().as_millisecond());
    }
    event
}

fn with_tag(mut event: Value, key: &str, value: &str) -> Value {
    for item in items(&mut event) {
        let tags = item["tagSet"]["items"].as_array_mut().unwrap();
        tags.push(json!({ "key": key, "value": value }));
    }
    event
}
