//! What the function keeps from one invocation to the next, as tags of the instances: EC2 is the only
//! database, the record is removed with the instance, its owner can read and remove it, and the
//! `DescribeInstances` call that is made anyway returns it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::instance::{Instance, InstanceId, State};
use crate::policy::Existing;

/// On an instance that is to be terminated: when that was claimed, in milliseconds since 1970.
pub const TERMINATE: &str = "imds-enforcer:terminate";

/// On an instance whose options somebody changes back: how often they were enforced, and since when.
pub const DRIFT: &str = "imds-enforcer:drift";

/// On an instance whose options a sweep has enforced and that the policy watches: when.
pub const ENFORCED: &str = "imds-enforcer:enforced";

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// An hour, and the 15 minutes that an invocation may last between the claim and the termination.
const CLAIM_COUNTS: SignedDuration = SignedDuration::from_mins(75);

const RELEASED: &str = "released ";

/// Those of `own` that may be terminated, so that at most `limit` terminate within an hour.
///
/// `claimed` are all instances with a claim. Each invocation sets its claims first, waits until
/// earlier claims are visible, and then reads all of them. Concurrent invocations therefore agree on
/// the order, and the first `limit` claims are the same for all. An instance that has terminated
/// counts first, because that cannot be undone, and even where its claim was released: another
/// invocation may have terminated it, or this one without a response from EC2.
pub fn may_terminate(
    claimed: &[Instance],
    own: &[InstanceId],
    limit: u32,
    now: Timestamp,
) -> BTreeSet<InstanceId> {
    let mut claims: Vec<(bool, Timestamp, &InstanceId)> = claimed
        .iter()
        .filter_map(|instance| {
            let (at, released) = claimed_at(instance)?;
            let lives = !instance.state.is_some_and(State::is_final);
            let counts = now.duration_since(at) < CLAIM_COUNTS && !(lives && released);
            counts.then_some((lives, at, &instance.id))
        })
        .collect();
    claims.sort_unstable();
    let first = claims
        .into_iter()
        .take(usize::try_from(limit).unwrap_or(usize::MAX));
    first
        .filter(|(lives, _, id)| *lives && own.contains(id))
        .map(|(_, _, id)| id.clone())
        .collect()
}

/// The value of [`TERMINATE`] for a claim.
pub fn claim(now: Timestamp) -> String {
    now.as_millisecond().to_string()
}

/// The value of [`TERMINATE`] on an instance that is not to be terminated after all.
pub fn release(now: Timestamp) -> String {
    format!("{RELEASED}{}", claim(now))
}

/// When, and whether the claim was released.
fn claimed_at(instance: &Instance) -> Option<(Timestamp, bool)> {
    let value = instance.tags.get(TERMINATE)?;
    let (time, released) = match value.strip_prefix(RELEASED) {
        Some(time) => (time, true),
        None => (value.as_str(), false),
    };
    let at = Timestamp::from_millisecond(time.parse().ok()?).ok()?;
    Some((at, released))
}

/// How often its options were enforced in the hour that its tag records, if that is not over.
pub fn enforcements(tags: &BTreeMap<String, String>, now: Timestamp) -> u32 {
    counted(tags, now).map_or(0, |(times, _)| times)
}

/// The value of [`DRIFT`] after one more enforcement.
pub fn one_more_enforcement(tags: &BTreeMap<String, String>, now: Timestamp) -> String {
    let (times, since) = counted(tags, now).unwrap_or((0, now));
    format!("{} since {since}", times.saturating_add(1))
}

fn counted(tags: &BTreeMap<String, String>, now: Timestamp) -> Option<(u32, Timestamp)> {
    let (times, since) = tags.get(DRIFT)?.split_once(" since ")?;
    let since: Timestamp = since.parse().ok()?;
    let times = times.parse().ok()?;
    (now.duration_since(since) < HOUR).then_some((times, since))
}

/// Since when an instance is watched for calls that are rejected after its options were enforced.
pub fn watched_since(
    instance: &Instance,
    existing: &Existing,
    now: Timestamp,
) -> Option<Timestamp> {
    let since: Timestamp = instance.tags.get(ENFORCED)?.parse().ok()?;
    let watched = SignedDuration::from_hours(24 * i64::from(existing.watch_days));
    (now.duration_since(since) < watched).then_some(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-06-15T12:00:00Z".parse().unwrap()
    }

    fn ago(seconds: i64) -> Timestamp {
        now()
            .checked_sub(SignedDuration::from_secs(seconds))
            .unwrap()
    }

    fn claimed(id: &str, seconds_ago: i64, state: State) -> Instance {
        let mut instance = Instance::unknown(InstanceId::try_from(id).unwrap(), "eu-central-1");
        instance
            .tags
            .insert(TERMINATE.to_owned(), claim(ago(seconds_ago)));
        instance.state = Some(state);
        instance
    }

    #[track_caller]
    fn may(claimed: &[Instance], own: &[&str], limit: u32, expected: &[&str]) {
        let own: Vec<_> = own
            .iter()
            .map(|id| InstanceId::try_from(*id).unwrap())
            .collect();
        let may = may_terminate(claimed, &own, limit, now());
        assert_eq!(
            may.iter().map(InstanceId::as_str).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn the_earliest_claims_within_the_limit_may_be_terminated() {
        let all = [
            claimed("i-00000003", 1, State::Running),
            claimed("i-00000001", 3, State::Running),
            claimed("i-00000002", 2, State::Pending),
        ];
        may(
            &all,
            &["i-00000001", "i-00000002", "i-00000003"],
            2,
            &["i-00000001", "i-00000002"],
        );
        may(&all, &["i-00000001", "i-00000002", "i-00000003"], 0, &[]);
    }

    #[test]
    fn the_claims_of_others_count() {
        let all = [
            claimed("i-00000001", 3, State::Running),
            claimed("i-00000002", 2, State::Running),
        ];
        may(&all, &["i-00000002"], 1, &[]);
        may(&all, &["i-00000001"], 1, &["i-00000001"]);
    }

    #[test]
    fn what_was_terminated_within_the_hour_counts_before_every_claim() {
        let all = [
            claimed("i-00000001", 3, State::Running),
            claimed("i-00000002", 2, State::Terminated),
        ];
        may(&all, &["i-00000001"], 1, &[]);
        may(&all, &["i-00000001"], 2, &["i-00000001"]);
    }

    #[test]
    fn what_was_terminated_long_ago_does_not_count() {
        let all = [
            claimed("i-00000001", 75 * 60, State::Terminated),
            claimed("i-00000002", 1, State::Running),
        ];
        may(&all, &["i-00000002"], 1, &["i-00000002"]);
    }

    #[test]
    fn a_termination_counts_for_an_hour_though_it_comes_later_than_its_claim() {
        let all = [
            claimed("i-00000001", 3600 + 14 * 60, State::Terminated),
            claimed("i-00000002", 1, State::Running),
        ];
        may(&all, &["i-00000002"], 1, &[]);
    }

    #[test]
    fn an_own_claim_that_is_not_visible_allows_nothing() {
        may(&[], &["i-00000001"], 5, &[]);
    }

    #[test]
    fn released_claims_count_only_where_the_instance_terminates_all_the_same() {
        let mut released = claimed("i-00000001", 3, State::Running);
        released.tags.insert(TERMINATE.to_owned(), release(ago(2)));
        let mut all = [released, claimed("i-00000002", 1, State::Running)];
        may(&all, &["i-00000002"], 1, &["i-00000002"]);
        all[0].state = Some(State::ShuttingDown);
        may(&all, &["i-00000002"], 1, &[]);
    }

    #[test]
    fn enforcements_are_counted_within_an_hour() {
        let mut tags = BTreeMap::new();
        assert_eq!(enforcements(&tags, now()), 0);
        tags.insert(DRIFT.to_owned(), one_more_enforcement(&tags, ago(1800)));
        tags.insert(DRIFT.to_owned(), one_more_enforcement(&tags, ago(60)));
        assert_eq!(enforcements(&tags, now()), 2);
        assert_eq!(enforcements(&tags, now().checked_add(HOUR).unwrap()), 0);
        tags.insert(DRIFT.to_owned(), "many since ever".to_owned());
        assert_eq!(enforcements(&tags, now()), 0);
    }
}
