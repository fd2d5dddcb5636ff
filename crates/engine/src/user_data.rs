//! Calls without a token in user data, fit to show.

use imds_core::plain::Plain;
use imds_user_data::{Finding, NotRead};

/// Searches user data; whoever wrote it cannot forge a line of the findings.
///
/// # Errors
/// When a part cannot be read, and the others hold no finding.
pub(crate) fn search(data: &[u8]) -> Result<Vec<Finding>, NotRead> {
    let mut findings = imds_user_data::search(data)?;
    for Finding { words, part, .. } in &mut findings {
        *words = Plain(words).to_string();
        *part = part.as_deref().map(|part| Plain(part).to_string());
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_part_cannot_forge_a_line() {
        let data = "Content-Type: multipart/mixed; boundary=b\nMIME-Version: 1.0\n\n\
                    --b\nContent-Disposition: attachment; filename=\"a\u{1b}[31m.sh\"\n\n\
                    curl http://169.254.169.254/latest/meta-data/\n--b\n\nexit\n--b--\n";
        let findings = search(data.as_bytes()).unwrap();
        let parts: Vec<_> = findings.iter().map(|found| found.part.as_deref()).collect();
        assert_eq!(parts, [Some("part 1 (a\u{fffd}[31m.sh)")]);
    }
}
