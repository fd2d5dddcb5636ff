//! Text files as people have them: in UTF-8 or UTF-16, with a byte order mark, and compressed.

use std::io::{self, ErrorKind, Read};

use flate2::read::MultiGzDecoder;

/// The largest text that is read, in bytes: a day of CloudTrail's log files.
const LARGEST: u64 = 256 << 20;

/// Reads text in UTF-8, or in UTF-16 with a byte order mark, also if gzip has compressed it. The mark is
/// left out.
pub(crate) fn read(from: impl Read) -> io::Result<String> {
    let bytes = limited(from)?;
    match bytes.as_slice() {
        [0x1f, 0x8b, ..] => decoded(limited(MultiGzDecoder::new(&*bytes))?),
        _ => decoded(bytes),
    }
}

fn limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(invalid("larger than 256 MiB"));
    }
    Ok(bytes)
}

fn decoded(bytes: Vec<u8>) -> io::Result<String> {
    let utf_16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks();
        let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
        let text = String::from_utf16(&units).ok();
        text.filter(|_| rest.is_empty())
            .ok_or_else(|| invalid("not valid UTF-16, as its byte order mark says"))
    };
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        _ => {
            // No text has zeros: without a mark, this is UTF-16 too.
            let text = String::from_utf8(bytes)
                .ok()
                .filter(|it| !it.contains('\0'));
            let text =
                text.ok_or_else(|| invalid("not valid UTF-8, nor UTF-16 with a byte order mark"))?;
            Ok(text
                .strip_prefix('\u{feff}')
                .map(str::to_owned)
                .unwrap_or(text))
        }
    }
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn utf_16(text: &str, write: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
        units.flat_map(write).collect()
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    proptest! {
        #[test]
        fn text_is_the_same_in_every_encoding(text in "[\\PC\n]*") {
            let marked = format!("\u{feff}{text}").into_bytes();
            for bytes in [
                text.clone().into_bytes(),
                marked,
                utf_16(&text, u16::to_le_bytes),
                utf_16(&text, u16::to_be_bytes),
            ] {
                prop_assert_eq!(&read(&*bytes).unwrap(), &text);
                prop_assert_eq!(&read(&*compressed(&bytes)).unwrap(), &text);
            }
        }
    }

    #[test]
    fn several_compressed_files_may_follow_each_other() {
        let both = [compressed(b"{}\n"), compressed(b"[]\n")].concat();
        assert_eq!(read(&*both).unwrap(), "{}\n[]\n");
    }

    #[test]
    fn what_is_cut_or_no_text_is_refused() {
        let whole = compressed(b"{}");
        for bytes in [
            &whole[..whole.len() - 1],
            b"\xff\xfe{\x00}",
            b"\xff\xfe\x00\xd8",
            b"{\xe4}",
            b"{\x00}\x00",
        ] {
            read(bytes).unwrap_err();
        }
    }
}
