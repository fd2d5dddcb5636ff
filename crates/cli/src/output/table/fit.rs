//! The widths of columns on a terminal.

/// What a column needs, in columns of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// The width of its longest texts.
    pub(crate) full: u16,
    /// The width at which it says as much in fewer words, or to which it is shortened before columns are
    /// left out.
    pub(crate) brief: u16,
    /// The minimum width; `None` if it is never shortened.
    pub(crate) least: Option<u16>,
    /// Whether it is shortened only after all others.
    pub(super) is_evidence: bool,
    /// Whether some of its texts take several lines at the brief width.
    pub(super) is_broken: bool,
    /// The column with the lowest number is left out first; `None` if it is never left out. From
    /// [`LAST`] on, it is only left out after evidence has been shortened.
    pub(super) drop: Option<u8>,
}

/// See [`Need::drop`].
pub(crate) const LAST: u8 = 8;

/// The space between two columns.
pub(super) const GAP: u16 = 2;

/// The widths that fit; `None` for a column that is left out.
pub(super) fn fit(needs: &[Need], width: u16) -> Vec<Option<u16>> {
    let full: Vec<Option<u16>> = needs.iter().map(|need| Some(need.full)).collect();
    if missing(&full, width) == 0 {
        return full;
    }
    let mut widths: Vec<Option<u16>> = needs.iter().map(|need| Some(need.brief)).collect();
    leave_out(needs, &mut widths, width, (LAST, |need| need.brief));
    leave_out(needs, &mut widths, width, (u8::MAX, Need::least));
    shorten(needs, &mut widths, width, false);
    shorten(needs, &mut widths, width, true);
    widen(needs, &mut widths, width);
    widths
}

impl Need {
    fn least(&self) -> u16 {
        self.least.unwrap_or(self.brief).min(self.brief)
    }
}

/// Leaves out columns with numbers below `before`, until the others fit at the width that is given.
fn leave_out(
    needs: &[Need],
    widths: &mut [Option<u16>],
    width: u16,
    (before, at): (u8, fn(&Need) -> u16),
) {
    loop {
        let shown = widths.iter().zip(needs);
        let least: Vec<_> = shown.map(|(width, need)| width.map(|_| at(need))).collect();
        let shown = widths.iter_mut().zip(needs);
        let droppable = shown.filter_map(|(width, need)| {
            let drop = need.drop.filter(|drop| width.is_some() && *drop < before)?;
            Some((drop, width))
        });
        match droppable.min_by_key(|(drop, _)| *drop) {
            Some((_, dropped)) if missing(&least, width) > 0 => *dropped = None,
            Some(_) | None => return,
        }
    }
}

/// Shortens the widest columns, of evidence or the others, to the minimum at most.
fn shorten(needs: &[Need], widths: &mut [Option<u16>], width: u16, is_evidence: bool) {
    while missing(widths, width) > 0 {
        let shown = needs.iter().zip(&mut *widths);
        let spare = shown.filter_map(|(need, width)| {
            let spare = width.as_ref()?.checked_sub(need.least())?;
            (need.is_evidence == is_evidence).then_some((spare, width.as_mut()?))
        });
        match spare.max_by_key(|(spare, _)| *spare) {
            Some((1.., width)) => *width -= 1,
            Some((0, _)) | None => return,
        }
    }
}

/// Uses the space that is left: for evidence, where that helps, and for the others.
fn widen(needs: &[Need], widths: &mut [Option<u16>], width: u16) {
    let left = usize::from(width).saturating_sub(total(widths));
    let mut left = u16::try_from(left).unwrap_or(u16::MAX);
    for is_evidence in [true, false] {
        let shown = needs.iter().zip(&mut *widths);
        for (need, width) in shown.filter(|(need, _)| need.is_evidence == is_evidence) {
            let Some(width) = width else { continue };
            let missing = need.full.saturating_sub(*width);
            if missing <= left || !is_evidence || need.is_broken {
                let more = missing.min(left);
                *width += more;
                left -= more;
            }
        }
    }
}

fn missing(widths: &[Option<u16>], width: u16) -> usize {
    total(widths).saturating_sub(usize::from(width))
}

/// The width of the columns that are shown, with the space between them.
fn total(widths: &[Option<u16>]) -> usize {
    let gap = usize::from(GAP);
    let widths = widths
        .iter()
        .flatten()
        .map(|width| usize::from(*width) + gap);
    widths.sum::<usize>().saturating_sub(gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(full: u16) -> Need {
        Need {
            full,
            brief: full,
            least: None,
            is_evidence: false,
            is_broken: false,
            drop: None,
        }
    }

    /// An id, a name, a state, and evidence that can be said in 20 columns and shortened to 7.
    fn needs() -> [Need; 4] {
        let name = Need {
            brief: 24,
            least: Some(10),
            drop: Some(LAST),
            ..fixed(40)
        };
        let state = Need {
            drop: Some(1),
            ..fixed(8)
        };
        let evidence = Need {
            brief: 20,
            least: Some(7),
            is_evidence: true,
            drop: Some(LAST + 1),
            ..fixed(50)
        };
        [fixed(19), name, state, evidence]
    }

    #[test]
    fn names_are_shortened_then_columns_left_out_and_evidence_shortened_last() {
        let widths = |width| fit(&needs(), width);
        assert_eq!(widths(123), [Some(19), Some(40), Some(8), Some(50)]);
        assert_eq!(widths(107), [Some(19), Some(24), Some(8), Some(50)]);
        assert_eq!(widths(106), [Some(19), Some(40), Some(8), Some(20)]);
        assert_eq!(widths(77), [Some(19), Some(24), Some(8), Some(20)]);
        assert_eq!(widths(76), [Some(19), Some(33), None, Some(20)]);
        assert_eq!(widths(53), [Some(19), Some(10), None, Some(20)]);
        assert_eq!(widths(52), [Some(19), Some(10), None, Some(19)]);
        assert_eq!(widths(40), [Some(19), Some(10), None, Some(7)]);
        assert_eq!(widths(39), [Some(19), None, None, Some(18)]);
        assert_eq!(widths(10), [Some(19), None, None, None]);
    }
}
