//! Opens user data as cloud-init and EC2Launch do: gzip, MIME multipart, cloud-config, tags.
//!
//! <https://cloudinit.readthedocs.io/en/latest/explanation/format.html>

use std::io::Read;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use mailparse::ParsedMail;
use regex::Regex;

use crate::cloud_config::{self, Part};
use crate::error::{MAX_BYTES, MAX_DEPTH, NotRead};
use crate::language::{Language, language};
use crate::patterns::regex;
use crate::script::Script;

/// What was found within.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) scripts: Vec<Script>,
    /// The first part that could not be read.
    pub(crate) not_read: Option<NotRead>,
    /// Bytes that may still be unpacked.
    left: usize,
}

/// All scripts of the user data.
pub(crate) fn scripts(user_data: &[u8]) -> Unpacked {
    let mut unpacked = Unpacked {
        scripts: Vec::new(),
        not_read: None,
        left: MAX_BYTES,
    };
    if user_data.len() > MAX_BYTES {
        unpacked.fail(NotRead::TooLarge);
    } else {
        unpacked.open(user_data, None, Kind::Unknown, 0);
    }
    unpacked
}

/// What a part is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    CloudConfig,
    /// A part handler.
    Python,
}

static FIELD: LazyLock<Regex> = LazyLock::new(|| regex(r"^[A-Za-z][A-Za-z0-9-]*:\s"));
static TAGS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?is)<(?P<tag>powershell|script)(?:\s[^>]*)?>(?P<text>.*?)(?:</(?:powershell|script)>|\z)",
    )
});
static YAML: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?m)\A(?:##[^\n]*\n|\s*\n)*(?:#cloud-config|\{\s*[\x22}]|version:\s*[\d.]+\s*\r?\n\s*tasks:)",
    )
});

impl Unpacked {
    fn fail(&mut self, why: NotRead) {
        self.not_read.get_or_insert(why);
    }

    /// Adds what a part holds; `part` names it.
    fn open(&mut self, bytes: &[u8], part: Option<String>, kind: Kind, depth: usize) {
        if depth > MAX_DEPTH {
            return self.fail(NotRead::TooDeep);
        }
        if bytes.starts_with(&[0x1f, 0x8b]) {
            return match self.gunzip(bytes) {
                Ok(unpacked) => self.open(&unpacked, part, kind, depth + 1),
                Err(why) => self.fail(why),
            };
        }
        let text = decoded(bytes);
        if is_mime(&text) {
            return match mailparse::parse_mail(bytes) {
                Ok(mail) => self.mail(&mail, part.as_deref(), depth),
                Err(why) => self.fail(NotRead::Mime(why)),
            };
        }
        if let Some(bytes) = within_base64(&text) {
            return self.open(&bytes, part, kind, depth + 1);
        }
        if (kind == Kind::CloudConfig || YAML.is_match(&text))
            && let Some(parts) = cloud_config::parts(&text)
        {
            for within in parts {
                self.add(within, part.as_deref(), depth);
            }
            return;
        }
        if self.tagged(&text, part.as_ref()) {
            return;
        }
        let language = match kind {
            Kind::Python => Language::Python,
            Kind::Unknown | Kind::CloudConfig => language(&text),
        };
        self.scripts.push(Script::new(text, language, part));
    }

    fn add(&mut self, found: Part, within: Option<&str>, depth: usize) {
        match found {
            Part::Script {
                text,
                line,
                language,
            } => {
                let mut script = Script::new(text, language, within.map(str::to_owned));
                script.line = line;
                self.scripts.push(script);
            }
            Part::Bytes { name, bytes } => {
                let name = Some(joined(within, &name));
                self.open(&bytes, name, Kind::Unknown, depth + 1);
            }
            Part::NotRead(why) => self.fail(why),
        }
    }

    /// Unpacks gzip, as far as all parts together stay within the limit.
    fn gunzip(&mut self, bytes: &[u8]) -> Result<Vec<u8>, NotRead> {
        let mut unpacked = Vec::new();
        let limit = u64::try_from(self.left).unwrap_or(u64::MAX);
        let read = MultiGzDecoder::new(bytes)
            .take(limit.saturating_add(1))
            .read_to_end(&mut unpacked);
        self.left = self
            .left
            .checked_sub(unpacked.len())
            .ok_or(NotRead::TooLarge)?;
        match read {
            Ok(_) => Ok(unpacked),
            Err(why) => Err(NotRead::Gzip(why)),
        }
    }

    fn mail(&mut self, mail: &ParsedMail, within: Option<&str>, depth: usize) {
        let leaves: Vec<&ParsedMail> = mail
            .parts()
            .filter(|mail| mail.subparts.is_empty())
            .collect();
        let alone = leaves.len() == 1;
        for (n, leaf) in leaves.into_iter().enumerate() {
            let file = leaf
                .get_content_disposition()
                .params
                .get("filename")
                .cloned();
            let file = file.map_or_else(String::new, |file| format!(" ({file})"));
            let name = format!("part {}{file}", n + 1);
            let part = match (within, alone) {
                (None, true) => None,
                (within, _) => Some(joined(within, &name)),
            };
            let kind = match leaf.ctype.mimetype.as_str() {
                "text/cloud-config" | "text/cloud-config-archive" => Kind::CloudConfig,
                "text/part-handler" => Kind::Python,
                _ => Kind::Unknown,
            };
            match leaf.get_body_raw() {
                Ok(bytes) => self.open(&bytes, part, kind, depth + 1),
                Err(why) => self.fail(NotRead::Mime(why)),
            }
        }
    }

    /// The scripts in EC2Launch's tags, with the lines as they are around them.
    fn tagged(&mut self, text: &str, part: Option<&String>) -> bool {
        let before = self.scripts.len();
        for found in TAGS.captures_iter(text) {
            let (Some(tag), Some(inner)) = (found.name("tag"), found.name("text")) else {
                continue;
            };
            let powershell = tag.as_str().eq_ignore_ascii_case("powershell");
            let language = if powershell {
                Language::PowerShell
            } else {
                Language::Shell
            };
            let lines = text
                .get(..inner.start())
                .unwrap_or_default()
                .matches('\n')
                .count();
            let mut script = Script::new(inner.as_str(), language, part.cloned());
            script.line = 1 + lines;
            self.scripts.push(script);
        }
        // Elsewhere the words are a page that a script writes.
        let first = text.trim_start().to_ascii_lowercase();
        let is_launch = first.starts_with("<powershell") || first.starts_with("<script");
        if !is_launch {
            self.scripts.truncate(before);
        }
        is_launch && self.scripts.len() > before
    }
}

/// The name of a part within another.
fn joined(within: Option<&str>, name: &str) -> String {
    within.map_or_else(|| name.to_owned(), |within| format!("{within}, {name}"))
}

/// Text in UTF-8, or in UTF-16 where a mark says so; anything else is shown as far as it goes.
fn decoded(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.as_chunks().0.iter().map(|pair| read(*pair)).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn is_mime(text: &str) -> bool {
    let mut head = text.lines().take_while(|line| !line.trim().is_empty());
    let starts = text.lines().next().is_some_and(|line| FIELD.is_match(line));
    starts
        && head.any(|line| {
            let line = line.to_ascii_lowercase();
            line.starts_with("mime-version:") || line.starts_with("content-type:")
        })
}

/// What was encoded once more than EC2 asks for, which some tools do and cloud-init forgives.
fn within_base64(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.split_whitespace().collect();
    let bytes = STANDARD
        .decode(packed)
        .ok()
        .filter(|bytes| bytes.len() > 8)?;
    let starts = |start: &[u8]| bytes.starts_with(start);
    let known = starts(&[0x1f, 0x8b])
        || starts(b"#")
        || starts(b"<")
        || starts(b"Content-Type:")
        || starts(b"MIME-Version:");
    known.then_some(bytes)
}
