//! Numbers and their nouns.

/// A number with thousands separators, for example `1,204`.
pub fn thousands(n: impl TryInto<u64>) -> String {
    let digits = n.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun, for example `1 region` or `17 regions`.
pub fn count(n: impl TryInto<u64>, one: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {one}{plural}", thousands(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_their_nouns_a_plural() {
        let written = [0_u64, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
        let written = [0, 1, 2, 1000].map(|n| count(n, "region"));
        assert_eq!(
            written,
            ["0 regions", "1 region", "2 regions", "1,000 regions"]
        );
    }
}
