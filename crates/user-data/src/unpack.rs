//! Unpacks user data as cloud-init and EC2Launch do: gzip, MIME multipart, cloud-config and tags.
//!
//! <https://cloudinit.readthedocs.io/en/latest/explanation/format.html>

use std::io::Read;

use base64::Engine;
use flate2::read::MultiGzDecoder;
use mailparse::ParsedMail;

use crate::cloud_config::{self, BASE64, CloudConfigPart, INCLUDE, INCLUDE_TYPE, PartResult};
use crate::error::{MAX_BYTES, MAX_DEPTH, NotRead};
use crate::language::{Language, language};
use crate::patterns::patterns;
use crate::script::Script;
use crate::statement::start;

/// The scripts in user data.
#[derive(Debug)]
pub(crate) struct UnpackedData {
    pub(crate) scripts: Vec<Script>,
    /// Why the first part that could not be read could not.
    pub(crate) not_read: Option<NotRead>,
    /// How many bytes may still be unpacked.
    left: usize,
}

/// Unpacks user data and all its parts.
pub(crate) fn unpack(user_data: &[u8]) -> UnpackedData {
    let mut unpacked = UnpackedData {
        scripts: Vec::new(),
        not_read: None,
        left: MAX_BYTES,
    };
    unpacked.bytes(user_data, None, "", 0);
    unpacked
}

patterns! {
    /// The head of a MIME message.
    MIME = r"(?i)\A(?:[a-z][a-z0-9-]*:\s.*\n(?:.*\S.*\n)*?)?(?:mime-version|content-type):";

    /// How user data begins that is neither a script of Windows nor text.
    PACKED = r"\A(?:\x1f|#|<|Content-Type:|MIME-Version:)";
    TAGS = r"(?is)<(?P<tag>powershell|script)(?:\s[^>]*)?>(?P<text>.*?)(?:</(?:powershell|script)>|\z)";
    /// The user data of a container, in Bottlerocket's settings.
    BOTTLEROCKET = r#"(?m)^\s*(?:[\w"'-]+\.)*user-data\s*=\s*["']{1,3}(?P<base64>[^"'$]+)["']"#;
    YAML = r"(?m)\A(?:##[^\n]*\n|\s*\n)*(?:#cloud-config|\{\s*[\x22}]|version:\s*[\d.]+\s*\r?\n\s*tasks:)";
}

impl UnpackedData {
    fn fail(&mut self, error: NotRead) {
        self.not_read.get_or_insert(error);
    }

    /// Unpacks a part; `part` is its name and `kind` its MIME type.
    fn bytes(&mut self, bytes: &[u8], part: Option<&str>, kind: &str, depth: usize) {
        if let Err(error) = self.read(bytes, part, kind, depth) {
            self.fail(error);
        }
    }

    fn read(
        &mut self,
        bytes: &[u8],
        part: Option<&str>,
        kind: &str,
        depth: usize,
    ) -> Result<(), NotRead> {
        if depth > MAX_DEPTH {
            return Err(NotRead::TooDeep);
        }
        if bytes.len() > MAX_BYTES {
            return Err(NotRead::TooLarge);
        }
        let text = decoded(bytes);
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let unpacked = self.gunzip(bytes)?;
            self.bytes(&unpacked, part, kind, depth + 1);
        } else if MIME.is_match(&text) {
            let mail = mailparse::parse_mail(bytes).map_err(NotRead::Mime)?;
            self.mail(&mail, part, depth);
        } else if let Some(bytes) = within_base64(&text) {
            self.bytes(&bytes, part, kind, depth + 1);
        } else if kind.starts_with(INCLUDE_TYPE) || INCLUDE.is_match(&text) {
            return Err(NotRead::Included);
        } else if (kind.starts_with("text/cloud-config") || YAML.is_match(&text))
            && let Some(parts) = cloud_config::parts(&text)
        {
            parts
                .into_iter()
                .for_each(|found| self.part(found, part, depth));
        } else {
            self.text(&text, part, depth);
        }
        Ok(())
    }

    fn text(&mut self, text: &str, part: Option<&str>, depth: usize) {
        for found in BOTTLEROCKET.captures_iter(text) {
            let base64 = found.name("base64").map_or("", |found| found.as_str());
            let decoded = cloud_config::decoded("user-data".to_owned(), base64.as_bytes());
            self.part(decoded, part, depth);
        }
        let mut scripts = tagged_scripts(text);
        if scripts.is_empty() {
            scripts.push(Script::new(text, 1, language(text)));
        }
        self.add(scripts, part);
    }

    fn part(&mut self, found: PartResult, within: Option<&str>, depth: usize) {
        match found {
            Ok(CloudConfigPart::Script(script)) => self.add(vec![script], within),
            Ok(CloudConfigPart::UserData { name, bytes }) => {
                self.bytes(&bytes, Some(&joined(within, &name)), "", depth + 1);
            }
            Err(error) => self.fail(error),
        }
    }

    fn add(&mut self, scripts: Vec<Script>, part: Option<&str>) {
        self.scripts.extend(scripts.into_iter().map(|mut script| {
            script.part = part.map(str::to_owned);
            script
        }));
    }

    /// Unpacks gzip while all parts together stay within the limit.
    fn gunzip(&mut self, bytes: &[u8]) -> Result<Vec<u8>, NotRead> {
        let mut unpacked = Vec::new();
        let limit = u64::try_from(self.left).unwrap_or(u64::MAX);
        let read = MultiGzDecoder::new(bytes)
            .take(limit.saturating_add(1))
            .read_to_end(&mut unpacked);
        let left = self.left.checked_sub(unpacked.len());
        self.left = left.ok_or(NotRead::TooLarge)?;
        read.map_err(NotRead::Gzip)?;
        Ok(unpacked)
    }

    fn mail(&mut self, mail: &ParsedMail, within: Option<&str>, depth: usize) {
        let parts = mail.parts().filter(|mail| mail.subparts.is_empty());
        let parts: Vec<&ParsedMail> = parts.collect();
        let is_only_part = within.is_none() && parts.len() == 1;
        for (n, part) in parts.into_iter().enumerate() {
            let disposition = part.get_content_disposition();
            let file = disposition.params.get("filename");
            let file = file.map_or_else(String::new, |file| format!(" ({file})"));
            let name = joined(within, &format!("part {}{file}", n + 1));
            let name = Some(&*name).filter(|_| !is_only_part);
            match part.get_body_raw() {
                Ok(bytes) => self.bytes(&bytes, name, &part.ctype.mimetype, depth + 1),
                Err(error) => self.fail(NotRead::Mime(error)),
            }
        }
    }
}

/// The name of a part within another.
fn joined(within: Option<&str>, name: &str) -> String {
    within.map_or_else(|| name.to_owned(), |within| format!("{within}, {name}"))
}

/// The scripts in EC2Launch's tags, with their lines in the whole text.
fn tagged_scripts(text: &str) -> Vec<Script> {
    // Other text with these tags is a page that a script writes.
    let first = start(text.trim_start(), "<powershell".len()).to_ascii_lowercase();
    if !first.starts_with("<powershell") && !first.starts_with("<script") {
        return Vec::new();
    }
    let scripts = TAGS.captures_iter(text).filter_map(|found| {
        let (tag, inner) = (found.name("tag")?, found.name("text")?);
        let language = match tag.as_str().eq_ignore_ascii_case("powershell") {
            true => Language::PowerShell,
            false => Language::Shell,
        };
        let before = text.get(..inner.start()).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        Some(Script::new(inner.as_str(), line, language))
    });
    scripts.collect()
}

/// Text in UTF-8, or in UTF-16 where it begins with a byte order mark. Invalid bytes are replaced.
fn decoded(bytes: &[u8]) -> String {
    let utf_16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.as_chunks().0.iter().map(|pair| read(*pair)).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// User data that some tools encode in base64 twice, which cloud-init accepts.
fn within_base64(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.split_whitespace().collect();
    let bytes = BASE64.decode(packed).ok()?;
    let is_user_data = bytes.len() > 8 && PACKED.is_match(&String::from_utf8_lossy(&bytes));
    is_user_data.then_some(bytes)
}
