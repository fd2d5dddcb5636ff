//! DynamoDB's numbers: decimal, with up to 38 significant digits.

use std::cmp::Ordering;
use std::fmt::{Display, Formatter, Result as Written};

use super::invalid;
use crate::fake::api_error::ApiError;

const MOST_DIGITS: usize = 38;
/// The exponents of a number's first digit.
const MAGNITUDES: std::ops::RangeInclusive<i64> = -130..=125;

/// `mantissa` × 10 ^ `exponent`; the mantissa does not end in 0, and zero has the exponent 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    mantissa: i128,
    exponent: i32,
}

impl Number {
    pub(crate) fn parse(text: &str) -> Result<Number, ApiError> {
        let unreadable = || {
            invalid(format!(
                "The parameter cannot be converted to a numeric value: {text}"
            ))
        };
        let negative = text.starts_with('-');
        let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (decimal, exponent) = match rest.split_once(['e', 'E']) {
            Some((decimal, exponent)) => {
                (decimal, exponent.parse::<i32>().map_err(|_| unreadable())?)
            }
            None => (rest, 0),
        };
        let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unreadable());
        }
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return Ok(Number::from_parts(0, 0));
        }
        let trailing = digits.len() - digits.trim_end_matches('0').len();
        let exponent = i64::from(exponent) - len(fraction) + i64::try_from(trailing).unwrap_or(0);
        if significant.len() > MOST_DIGITS {
            return Err(too_precise());
        }
        let magnitude = exponent + len(significant) - 1;
        if magnitude > *MAGNITUDES.end() {
            return Err(invalid(
                "Number overflow. Attempting to store a number with magnitude larger than supported range",
            ));
        }
        if magnitude < *MAGNITUDES.start() {
            return Err(invalid(
                "Number underflow. Attempting to store a number with magnitude smaller than supported range",
            ));
        }
        let mantissa: i128 = significant.parse().map_err(|_| unreadable())?;
        let exponent = i32::try_from(exponent).map_err(|_| unreadable())?;
        Ok(Number::from_parts(
            if negative { -mantissa } else { mantissa },
            exponent,
        ))
    }

    pub(crate) fn plus(self, other: Number) -> Result<Number, ApiError> {
        if self.mantissa == 0 {
            return Ok(other);
        }
        if other.mantissa == 0 {
            return Ok(self);
        }
        let exponent = self.exponent.min(other.exponent);
        let sum = self
            .scaled_to(exponent)
            .zip(other.scaled_to(exponent))
            .and_then(|(left, right)| left.checked_add(right))
            .ok_or_else(too_precise)?;
        Number::parse(&format!("{sum}e{exponent}"))
    }

    pub(crate) fn minus(self, other: Number) -> Result<Number, ApiError> {
        self.plus(Number::from_parts(-other.mantissa, other.exponent))
    }

    /// The bytes that it takes in an item.
    pub(crate) fn size(self) -> usize {
        self.mantissa.unsigned_abs().to_string().len().div_ceil(2) + 1
    }

    fn from_parts(mantissa: i128, exponent: i32) -> Number {
        Number { mantissa, exponent }
    }

    fn scaled_to(self, exponent: i32) -> Option<i128> {
        let shift = u32::try_from(self.exponent - exponent).ok()?;
        match self.mantissa {
            0 => Some(0),
            mantissa => mantissa.checked_mul(10_i128.checked_pow(shift)?),
        }
    }

    fn magnitude(self) -> i64 {
        len(&self.mantissa.unsigned_abs().to_string()) + i64::from(self.exponent)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        let signs = self.mantissa.signum().cmp(&other.mantissa.signum());
        if signs.is_ne() || self.mantissa == 0 {
            return signs;
        }
        let sizes = self.magnitude().cmp(&other.magnitude());
        let absolute = sizes.then_with(|| {
            let exponent = self.exponent.min(other.exponent);
            let size = |number: &Number| number.scaled_to(exponent).map(i128::unsigned_abs);
            size(self).cmp(&size(other))
        });
        if self.mantissa < 0 {
            absolute.reverse()
        } else {
            absolute
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Without an exponent, as DynamoDB answers.
impl Display for Number {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        let digits = self.mantissa.unsigned_abs().to_string();
        if self.mantissa < 0 {
            out.write_str("-")?;
        }
        let Ok(decimals) = usize::try_from(-self.exponent) else {
            let zeros = usize::try_from(self.exponent).unwrap_or_default();
            return write!(out, "{digits}{}", "0".repeat(zeros));
        };
        if decimals == 0 {
            return out.write_str(&digits);
        }
        let padded = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        write!(out, "{whole}.{fraction}")
    }
}

fn len(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

fn too_precise() -> ApiError {
    invalid("Attempting to store more than 38 significant digits in a Number")
}
