//! Calls by day.

use jiff::Timestamp;

use crate::usage::Datapoint;

const DAY: i64 = 24 * 60 * 60;

/// The calls of every 24 hours of the window; `None`: no datapoint, which is not the same as no calls.
pub fn by_day(points: &[Datapoint], begin: Timestamp, days: u8) -> Vec<Option<u64>> {
    let mut by_day = vec![None; usize::from(days)];
    for (at, calls) in points {
        // CloudWatch's first period may begin before the window.
        let place = at.duration_since(begin).as_secs().div_euclid(DAY).max(0);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let place = place.min(by_day.len().saturating_sub(1));
        if let Some(day) = by_day.get_mut(place) {
            *day = Some(day.unwrap_or(0.0) + calls.max(0.0));
        }
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, which saturates"
    )]
    let count = |calls: f64| calls.round() as u64;
    by_day.into_iter().map(|day| day.map(count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin() -> Timestamp {
        "2026-11-01T10:00:00Z".parse().unwrap()
    }

    fn after(hours: i64) -> Timestamp {
        begin() + jiff::SignedDuration::from_hours(hours)
    }

    #[test]
    fn a_day_without_a_datapoint_is_unknown_and_not_zero() {
        let points = [(after(1), 0.0), (after(49), 3.0), (after(50), 4.0)];
        let days = by_day(&points, begin(), 4);
        assert_eq!(days, [Some(0), None, Some(7), None]);
    }

    #[test]
    fn periods_at_the_edges_belong_to_the_first_and_the_last_day() {
        let points = [(after(-2), 1.0), (after(47), 2.0), (after(48), 4.0)];
        assert_eq!(by_day(&points, begin(), 2), [Some(1), Some(6)]);
    }
}
