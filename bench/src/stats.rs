//! Statistics of a quantity that was measured several times.

use serde::Serialize;

/// In the unit of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Stats {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) samples: usize,
}

impl Stats {
    /// `None` without samples.
    pub(crate) fn from_samples(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let samples = sorted.len();
        Some(Stats {
            min: *sorted.first()?,
            max: *sorted.last()?,
            median: f64::midpoint(sorted[(samples - 1) / 2], sorted[samples / 2]),
            samples,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Stats;

    #[track_caller]
    fn median(samples: &[f64], expected: f64) {
        let stats = Stats::from_samples(samples.iter().copied()).unwrap();
        assert_eq!(stats.median, expected);
    }

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two_in_the_middle() {
        median(&[3.0, 1.0, 2.0], 2.0);
        median(&[4.0, 1.0, 3.0, 2.0], 2.5);
        median(&[7.0], 7.0);
    }

    #[test]
    fn minimum_and_maximum_do_not_depend_on_the_order() {
        let stats = Stats::from_samples([2.0, 9.0, 1.0, 3.0]).unwrap();
        assert_eq!((stats.min, stats.max, stats.samples), (1.0, 9.0, 4));
    }

    #[test]
    fn without_samples_there_are_no_statistics() {
        assert_eq!(Stats::from_samples([]), None);
    }
}
