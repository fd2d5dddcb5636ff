//! What the function must remember from one invocation to the next, kept as tags on the instances
//! themselves: EC2 then is the only database, the record ends with the instance, its owner can read
//! and remove it, and one `DescribeInstances` that is made anyway brings it along.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::instance::{Instance, InstanceId, State};
use crate::policy::Existing;

/// On an instance that is to be terminated: when that was claimed, in milliseconds since 1970.
pub const TERMINATE: &str = "imds-enforcer:terminate";

/// On an instance whose options somebody keeps changing: how often they were mended since when.
pub const MENDED: &str = "imds-enforcer:mended";

/// On an instance that a sweep has mended, where the policy has it watched: when.
pub const ENFORCED: &str = "imds-enforcer:enforced";

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A claim may be older than its termination by as long as an invocation lasts, which is 15 minutes.
const CLAIM_COUNTS: SignedDuration = SignedDuration::from_mins(75);

const RELEASED: &str = "released ";

/// Those of `own` that may be terminated: with them at most `limit` are within an hour.
///
/// `seen` are all instances with a claim. Whoever claims does so first, waits until every earlier
/// claim can be seen, and then looks: so all who look agree on the order, and however many look at
/// once, the first `limit` claims are the same for all of them. An instance that ends counts first,
/// for that cannot be undone, and also where its claim was released: another invocation may have
/// ended it, or this one without an answer from EC2.
pub fn may_terminate(
    seen: &[Instance],
    own: &[InstanceId],
    limit: u32,
    now: Timestamp,
) -> BTreeSet<InstanceId> {
    let mut claims: Vec<(bool, Timestamp, &InstanceId)> = seen
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

/// How often the instance was mended in the hour that its tag speaks of, if that is not over.
pub fn mends(tags: &BTreeMap<String, String>, now: Timestamp) -> u32 {
    mended(tags, now).map_or(0, |(times, _)| times)
}

/// The value of [`MENDED`] after one more mend.
pub fn one_more_mend(tags: &BTreeMap<String, String>, now: Timestamp) -> String {
    let (times, since) = mended(tags, now).unwrap_or((0, now));
    format!("{} since {since}", times.saturating_add(1))
}

fn mended(tags: &BTreeMap<String, String>, now: Timestamp) -> Option<(u32, Timestamp)> {
    let (times, since) = tags.get(MENDED)?.split_once(" since ")?;
    let since: Timestamp = since.parse().ok()?;
    let times = times.parse().ok()?;
    (now.duration_since(since) < HOUR).then_some((times, since))
}

/// Since when a mended instance is watched for calls that are now refused.
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
    fn may(seen: &[Instance], own: &[&str], limit: u32, expected: &[&str]) {
        let own: Vec<_> = own
            .iter()
            .map(|id| InstanceId::try_from(*id).unwrap())
            .collect();
        let may = may_terminate(seen, &own, limit, now());
        assert_eq!(
            may.iter().map(InstanceId::as_str).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn the_earliest_claims_within_the_limit_may_be_terminated() {
        let seen = [
            claimed("i-3", 1, State::Running),
            claimed("i-1", 3, State::Running),
            claimed("i-2", 2, State::Pending),
        ];
        may(&seen, &["i-1", "i-2", "i-3"], 2, &["i-1", "i-2"]);
        may(&seen, &["i-1", "i-2", "i-3"], 0, &[]);
    }

    #[test]
    fn the_claims_of_others_count() {
        let seen = [
            claimed("i-1", 3, State::Running),
            claimed("i-2", 2, State::Running),
        ];
        may(&seen, &["i-2"], 1, &[]);
        may(&seen, &["i-1"], 1, &["i-1"]);
    }

    #[test]
    fn what_was_terminated_within_the_hour_counts_before_every_claim() {
        let seen = [
            claimed("i-1", 3, State::Running),
            claimed("i-2", 2, State::Terminated),
        ];
        may(&seen, &["i-1"], 1, &[]);
        may(&seen, &["i-1"], 2, &["i-1"]);
    }

    #[test]
    fn what_was_terminated_long_ago_does_not_count() {
        let seen = [
            claimed("i-1", 75 * 60, State::Terminated),
            claimed("i-2", 1, State::Running),
        ];
        may(&seen, &["i-2"], 1, &["i-2"]);
    }

    #[test]
    fn a_termination_counts_for_an_hour_though_it_comes_later_than_its_claim() {
        let seen = [
            claimed("i-1", 3600 + 14 * 60, State::Terminated),
            claimed("i-2", 1, State::Running),
        ];
        may(&seen, &["i-2"], 1, &[]);
    }

    #[test]
    fn an_own_claim_that_cannot_be_seen_allows_nothing() {
        may(&[], &["i-1"], 5, &[]);
    }

    #[test]
    fn released_claims_count_only_where_the_instance_ends_all_the_same() {
        let mut released = claimed("i-1", 3, State::Running);
        released.tags.insert(TERMINATE.to_owned(), release(ago(2)));
        let mut seen = [released, claimed("i-2", 1, State::Running)];
        may(&seen, &["i-2"], 1, &["i-2"]);
        seen[0].state = Some(State::ShuttingDown);
        may(&seen, &["i-2"], 1, &[]);
    }

    #[test]
    fn mends_are_counted_within_an_hour() {
        let mut tags = BTreeMap::new();
        assert_eq!(mends(&tags, now()), 0);
        tags.insert(MENDED.to_owned(), one_more_mend(&tags, ago(1800)));
        tags.insert(MENDED.to_owned(), one_more_mend(&tags, ago(60)));
        assert_eq!(mends(&tags, now()), 2);
        assert_eq!(mends(&tags, now().checked_add(HOUR).unwrap()), 0);
        tags.insert(MENDED.to_owned(), "many since ever".to_owned());
        assert_eq!(mends(&tags, now()), 0);
    }
}
