//! What may be done to an instance at most, written down once more from the plan's table and not from
//! the code: plain numbers of seconds, and the words of the policy.

use serde_json::Value;

/// The times that EC2 shows, in seconds before now; what is ahead is negative.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    /// Device index, and when it was attached. No index comes twice.
    pub(crate) interfaces: Vec<(i32, i64)>,
    pub(crate) volumes: Vec<i64>,
    pub(crate) started: Option<i64>,
}

/// Who told of the instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum News {
    /// Seconds ago.
    Launch(i64),
    LaunchWithoutTime,
    Start,
    Sweep,
    Drift,
    Person(Counts),
}

/// How use counts where a person asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Counts {
    NotAtAll,
    AsInASweep,
    UnlessUnused,
}

/// What CloudWatch said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    NotAsked,
    Unused,
    InUse,
    NoData,
    TooLittleData,
    Incomplete,
    NoCallRejected,
    CallsRejected,
}

/// The most that may be done, as a word of the policy; `ask` where nothing may be done before
/// CloudWatch was asked.
pub(crate) fn at_most(policy: &Value, times: &Times, news: News, answer: Answer) -> String {
    let new = &policy["new_instances"];
    let existing = &policy["existing"];
    let minutes = new["disrupt_within_minutes"].as_i64().unwrap_or(15);
    let hours = new["enforce_within_hours"].as_i64().unwrap_or(24);
    let new_in_use = new["in_use"].as_str().unwrap_or("report");
    let in_use = existing["in_use"].as_str().unwrap_or("report");
    let unknown = existing["unknown"].as_str().unwrap_or("report");

    let asks = matches!(
        answer,
        Answer::NotAsked | Answer::NoCallRejected | Answer::CallsRejected
    );
    match (news, answer) {
        (News::Person(Counts::NotAtAll), _)
        | (News::Person(Counts::UnlessUnused), Answer::Unused) => return "enforce".to_owned(),
        (News::Person(Counts::UnlessUnused), _) if asks => return "ask".to_owned(),
        (News::Person(Counts::UnlessUnused), _) => return "report".to_owned(),
        (News::Person(Counts::AsInASweep), _) => {
            return at_most(policy, times, News::Sweep, answer).replace("terminate", "enforce");
        }
        _ => {}
    }
    if news == News::Drift {
        return match answer {
            Answer::CallsRejected => "report",
            Answer::NoCallRejected => "enforce",
            _ => "ask",
        }
        .to_owned();
    }
    let seconds = first_launched(times);
    if seconds.is_some_and(|seconds| seconds <= minutes * 60) {
        return "terminate".to_owned();
    }
    let recent = seconds.is_some_and(|seconds| seconds <= hours * 3600);
    if recent && matches!(news, News::Launch(ago) if (-300..=900).contains(&ago)) {
        return "enforce".to_owned();
    }
    let word = match (recent, answer) {
        (_, Answer::Unused) => "enforce",
        (true, Answer::NoData | Answer::TooLittleData) => "enforce",
        (true, Answer::InUse | Answer::Incomplete) => new_in_use,
        (false, Answer::InUse) => in_use,
        (false, Answer::NoData | Answer::TooLittleData) => unknown,
        (false, Answer::Incomplete) if in_use == "enforce" && unknown == "enforce" => "enforce",
        (false, Answer::Incomplete) => "report",
        (_, Answer::NotAsked | Answer::NoCallRejected | Answer::CallsRejected) => "ask",
    };
    word.to_owned()
}

/// How many seconds ago; `None`: not known.
pub(crate) fn first_launched(times: &Times) -> Option<i64> {
    let mut all: Vec<i64> = times.volumes.clone();
    all.extend(times.started);
    let mut primary = false;
    for &(device_index, seconds) in &times.interfaces {
        all.push(seconds);
        if device_index == 0 {
            primary = true;
        }
    }
    let ahead = all.iter().any(|&seconds| seconds < -300);
    if ahead || !primary {
        return None;
    }
    all.into_iter().max()
}

/// Whether it has a volume that its launch did not create.
pub(crate) fn restored(times: &Times) -> bool {
    times
        .interfaces
        .iter()
        .filter(|(device_index, _)| *device_index == 0)
        .any(|(_, attached)| times.volumes.iter().any(|volume| attached - volume > 120))
}
