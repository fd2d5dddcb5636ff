//! Calls by day, and their spark line.

use imds_core::usage::Datapoint;
use jiff::Timestamp;

const DAY: i64 = 24 * 60 * 60;

/// The calls of every 24 hours of the window; `None`: there is no datapoint of them, which is not
/// the same as no calls.
pub(super) fn by_day(points: &[Datapoint], begin: Timestamp, days: u8) -> Vec<Option<u64>> {
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

/// One sign a day: `?` where nothing is known, `·` without calls, else a bar; the day with the most
/// calls has the highest.
pub(super) fn spark(days: &[Option<u64>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = u128::from(days.iter().flatten().copied().max().unwrap_or(0));
    let sign = |day: &Option<u64>| match day {
        None => '?',
        Some(0) => '·',
        Some(calls) => {
            let eighths = (u128::from(*calls) * 8).div_ceil(most.max(1));
            let place = usize::try_from(eighths.saturating_sub(1)).unwrap_or(usize::MAX);
            BARS.get(place).copied().unwrap_or('█')
        }
    };
    days.iter().map(sign).collect()
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
        assert_eq!(spark(&days), "·?█?");
    }

    #[test]
    fn periods_at_the_edges_belong_to_the_first_and_the_last_day() {
        let points = [(after(-2), 1.0), (after(47), 2.0), (after(48), 4.0)];
        assert_eq!(by_day(&points, begin(), 2), [Some(1), Some(6)]);
    }

    #[test]
    fn the_day_with_the_most_calls_has_the_highest_bar_and_one_call_is_seen() {
        let days: Vec<Option<u64>> = (0..=8).map(|n| Some(n * 100)).collect();
        assert_eq!(spark(&days), "·▁▂▃▄▅▆▇█");
        assert_eq!(spark(&[Some(1), Some(u64::MAX), Some(0)]), "▁█·");
    }

    #[test]
    fn a_long_window_has_one_sign_a_day() {
        assert_eq!(spark(&by_day(&[], begin(), 63)), "?".repeat(63));
    }
}
