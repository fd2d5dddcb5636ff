//! How old an instance is, by evidence that nobody can renew.

use jiff::{SignedDuration, Timestamp};

use crate::policy::NewInstances;

/// How far EC2's clock may be ahead of ours.
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// When network interfaces and volumes were attached, as `DescribeInstances` shows it.
///
/// The primary network interface cannot be detached, so nobody can renew the time of its attachment.
/// Any attachment happens at or after the first launch.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attachments {
    /// Of the primary network interface, which has device index 0.
    pub primary_interface: Option<Timestamp>,
    /// The earliest of all network interfaces and volumes.
    pub earliest: Option<Timestamp>,
    /// The latest of all network interfaces and volumes.
    pub latest: Option<Timestamp>,
    /// The latest of all volumes.
    pub latest_volume: Option<Timestamp>,
}

impl Attachments {
    /// Of an instance that was launched at this time, with its interface and its volume.
    pub fn at_launch(time: Timestamp) -> Self {
        let mut attachments = Attachments::default();
        attachments.add_interface(0, time);
        attachments.add_volume(time);
        attachments
    }

    /// Adds a network interface.
    pub fn add_interface(&mut self, device_index: i32, attached_at: Timestamp) {
        self.add(attached_at);
        if device_index == 0 {
            self.primary_interface = Some(attached_at);
        }
    }

    /// Adds a volume.
    pub fn add_volume(&mut self, attached_at: Timestamp) {
        self.add(attached_at);
        self.latest_volume = self.latest_volume.max(Some(attached_at));
    }

    fn add(&mut self, attached_at: Timestamp) {
        let earliest = self.earliest.unwrap_or(attached_at);
        self.earliest = Some(earliest.min(attached_at));
        self.latest = self.latest.max(Some(attached_at));
    }

    /// When the instance was first launched: the earliest of its last start and all attachments.
    ///
    /// `None`, not known: without the time of the primary interface, or if any of the times is more than
    /// five minutes ahead of `now`. The last start alone proves nothing, because every start moves it.
    pub fn first_launched_at(
        &self,
        last_started_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let primary = self.primary_interface?;
        let latest = self.latest.max(last_started_at).unwrap_or(primary);
        if latest.duration_since(now) > CLOCK_SKEW {
            return None;
        }
        let started = last_started_at.unwrap_or(primary);
        Some(self.earliest.unwrap_or(primary).min(started))
    }
}

/// How long ago an instance was first launched, as far as it decides what may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Within `disrupt_within_minutes`.
    New,
    /// Within `enforce_within_hours`.
    Recent,
    /// Before that.
    Old,
    /// Not known.
    Unknown,
}

impl Age {
    /// The age of an instance that was first launched then.
    pub fn new(
        limits: &NewInstances,
        first_launched_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        match first_launched_at {
            None => Age::Unknown,
            Some(first) if now <= limits.disrupt_until(first) => Age::New,
            Some(first) if now <= limits.enforce_until(first) => Age::Recent,
            Some(_) => Age::Old,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_earliest_of_all_times_is_the_first_launch() {
        let mut attachments = Attachments::at_launch(at(0));
        attachments.add_volume(at(500));
        attachments.add_interface(1, at(400));
        assert_eq!(
            attachments.first_launched_at(Some(at(900)), at(1000)),
            Some(at(0))
        );
        attachments.add_volume(at(-70));
        assert_eq!(
            attachments.first_launched_at(Some(at(900)), at(1000)),
            Some(at(-70))
        );
        assert_eq!(
            attachments.first_launched_at(Some(at(-90)), at(1000)),
            Some(at(-90))
        );
        assert_eq!(attachments.first_launched_at(None, at(1000)), Some(at(-70)));
    }

    #[test]
    fn without_the_primary_interface_nothing_is_known() {
        let mut attachments = Attachments::default();
        assert_eq!(attachments.first_launched_at(Some(at(0)), at(1)), None);
        attachments.add_interface(1, at(0));
        attachments.add_volume(at(0));
        assert_eq!(attachments.first_launched_at(Some(at(0)), at(1)), None);
    }

    #[test]
    fn a_time_more_than_five_minutes_ahead_makes_the_age_unknown() {
        let attachments = Attachments::at_launch(at(300));
        assert_eq!(attachments.first_launched_at(None, at(0)), Some(at(300)));
        assert_eq!(attachments.first_launched_at(None, at(-1)), None);
        assert_eq!(attachments.first_launched_at(Some(at(602)), at(301)), None);
    }

    #[test]
    fn an_instance_is_new_for_15_minutes_and_recent_for_24_hours() {
        let limits = NewInstances::default();
        let age = |seconds| Age::new(&limits, Some(at(0)), at(seconds));
        assert_eq!(age(-60), Age::New);
        assert_eq!(age(15 * 60), Age::New);
        assert_eq!(age(15 * 60 + 1), Age::Recent);
        assert_eq!(age(24 * 3600), Age::Recent);
        assert_eq!(age(24 * 3600 + 1), Age::Old);
        assert_eq!(Age::new(&limits, None, at(0)), Age::Unknown);
    }
}
