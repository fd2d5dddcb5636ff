//! Finds the metadata service's addresses in text, in all their forms.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::patterns::patterns;

const V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

patterns! {
    NUMBERS = r"(?i)\b(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){0,3}\b";
    COLONS = r"(?i)(?:[0-9a-f]{0,4}:){2,}[0-9a-f.]*";
    NAME = r"(?i)\binstance-data(?P<domain>(?:\.[a-z0-9-]+)*\.internal)?\b";
    PATH = r"^(?::\d+)?/+(?:latest|\d{4}-\d\d-\d\d|1\.0)(?:[^\w.-]|$)";
}

/// Where the addresses are, in the order of the text.
pub(crate) fn find(text: &str) -> Vec<Range<usize>> {
    let v4 = NUMBERS.find_iter(text);
    let v4 = v4.filter(|it| is_v4(it.as_str())).map(|it| it.range());
    let v6 = COLONS.find_iter(text).filter_map(|found| {
        let shown = found.as_str().trim_end_matches('.');
        // A colon before the address is not part of it.
        let own = match shown.strip_prefix(':') {
            Some(rest) if !rest.starts_with(':') => rest,
            _ => shown,
        };
        let start = found.start() + shown.len() - own.len();
        is_v6(own).then_some(start..start + own.len())
    });
    let names = NAME.captures_iter(text).filter_map(|found| {
        let range = found.get(0)?.range();
        let is_host = found.name("domain").is_some() || is_host_name(text, &range);
        is_host.then_some(range)
    });
    let mut all: Vec<Range<usize>> = v4.chain(v6).chain(names).collect();
    all.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    // An IPv6 address may contain an IPv4 one.
    all.dedup_by(|range, before| range.start < before.end);
    all
}

/// Whether a path of the metadata service follows.
pub(crate) fn has_path(after: &str) -> bool {
    PATH.is_match(after)
}

/// One to four numbers, decimal, octal or hexadecimal, of which the last fills the remaining bytes,
/// as `inet_aton` and therefore `curl` read them.
fn is_v4(text: &str) -> bool {
    let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
    let numbers = numbers.as_deref().and_then(<[u32]>::split_last);
    numbers.is_some_and(|(last, first)| {
        let octets = V4.octets().map(u32::from);
        let left = octets.strip_prefix(first);
        left.is_some_and(|left| left.iter().fold(0, |all, octet| (all << 8) | octet) == *last)
    })
}

fn number(text: &str) -> Option<u32> {
    let hexadecimal = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let read = match hexadecimal {
        Some(digits) => u32::from_str_radix(digits, 16),
        // Some programs read numbers with a leading zero as decimal.
        None if text.starts_with('0') => u32::from_str_radix(text, 8).or_else(|_| text.parse()),
        None => text.parse(),
    };
    read.ok()
}

fn is_v6(text: &str) -> bool {
    text.parse()
        .is_ok_and(|address: Ipv6Addr| address == V6 || address.to_ipv4_mapped() == Some(V4))
}

/// Whether `instance-data` is a host: it is also part of cloud-init's file names.
fn is_host_name(text: &str, range: &Range<usize>) -> bool {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    let ends = after.is_empty() || after.starts_with(['"', '\'', ' ', ';']);
    let whole_word = !before.ends_with(|c: char| c.is_alphanumeric() || "./-_".contains(c));
    before.ends_with("://")
        || whole_word && has_path(after)
        || ends && before.trim_end_matches(['"', '\'']).ends_with('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = find(text)
            .into_iter()
            .map(|range| text.get(range).unwrap())
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_address_is_found_in_every_form() {
        for form in [
            "169.254.169.254",
            "0xA9FEA9FE",
            "0xa9.0xfe.0xa9.0xfe",
            "2852039166",
            "0251.0376.0251.0376",
            "025177524776",
            "169.254.43518",
            "169.16689662",
            "0xa9.254.0251.254",
            "fd00:ec2::254",
            "FD00:0EC2:0:0:0:0:0:0254",
            "fd00:ec2:0::254",
            "::ffff:169.254.169.254",
            "instance-data.ec2.internal",
        ] {
            check(form, &[form]);
            check(&format!("curl http://{form}/latest"), &[form]);
            check(&format!("curl 'http://[{form}]:80/latest'"), &[form]);
        }
        check("http://instance-data/latest/", &["instance-data"]);
        check("wget -qO- instance-data/latest/", &["instance-data"]);
        check("HOST=instance-data", &["instance-data"]);
    }

    #[test]
    fn similar_addresses_are_not_found() {
        for other in [
            "169.254.170.2",
            "169.254.169.123",
            "169.254.169.253",
            "169.254.169.2540",
            "1169.254.169.254",
            "2852039167",
            "fd00:ec2::253",
            "fd00:ec2::23",
            "12:34:56",
            "/run/cloud-init/instance-data.json",
            "cp instance-data/latest.tgz /tmp",
            "/var/lib/instance-data/latest",
        ] {
            check(other, &[]);
        }
    }
}
