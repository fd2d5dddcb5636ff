//! Calls by day as a line of bars.

/// One character per day: `?` without data, `·` without calls, else a bar; the day with the most calls
/// has the highest bar.
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

    #[test]
    fn the_day_with_the_most_calls_has_the_highest_bar_and_one_call_is_visible() {
        let days: Vec<Option<u64>> = (0..=8).map(|n| Some(n * 100)).collect();
        assert_eq!(spark(&days), "·▁▂▃▄▅▆▇█");
        assert_eq!(spark(&[Some(1), Some(u64::MAX), Some(0), None]), "▁█·?");
    }
}
