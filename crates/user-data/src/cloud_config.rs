//! Finds scripts in cloud-config and similar YAML: every string may be one.
//!
//! <https://cloudinit.readthedocs.io/en/latest/reference/modules.html>

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::error::NotRead;
use crate::language::{by_file_name, language};
use crate::patterns::patterns;
use crate::script::Script;

/// What a string in the document is.
pub(crate) enum CloudConfigPart {
    /// A script, or text that may be one.
    Script(Script),
    /// User data in its own right.
    UserData {
        /// Such as `file /etc/profile`.
        name: String,
        bytes: Vec<u8>,
    },
}

/// The MIME types of a list of URLs that are included.
pub(crate) const INCLUDE_TYPE: &str = "text/x-include";

patterns! {
    /// A list of URLs that are included. C includes files by names in brackets or quotes.
    pub(crate) INCLUDE = r"(?m)\A(?:##.*$|\s)*#include(?:-once)?(?:\s|#.*$)*[a-zA-Z][\w+.-]*://";

    /// The parts of an archive may be in any format.
    USER_DATA = r"\A\s*#cloud-config|MIME-Version:";

    /// A word that a shell reads as it is.
    PLAIN = r"^[\w./:=@%+,$-]*$";
}

pub(crate) type PartResult = Result<CloudConfigPart, NotRead>;

/// The parts; `None` where the text is not YAML, as a template is before it is rendered. An alias
/// repeats what was already read, and is not followed.
pub(crate) fn parts(yaml: &str) -> Option<Vec<PartResult>> {
    let mut reader = YamlReader::default();
    for event in Parser::new_from_str(yaml) {
        let (event, span) = event.ok()?;
        match event {
            Event::MappingStart(..) => reader.begin(true),
            Event::SequenceStart(..) => reader.begin(false),
            Event::MappingEnd | Event::SequenceEnd => reader.end(),
            Event::Scalar(text, style, _, tag) => {
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                // The parser reports the line of the first word.
                let blank = text.len() - text.trim_start_matches('\n').len();
                let line = (span.start.line()).saturating_sub(if is_block { blank } else { 0 });
                let is_binary = tag.is_some_and(|tag| tag.suffix == "binary");
                reader.text(YamlText {
                    line: line.max(1),
                    last_line: if is_block {
                        usize::MAX
                    } else {
                        span.end.line()
                    },
                    encoding: is_binary.then(|| "b64".to_owned()),
                    included: reader.at_included(&text),
                    text: text.into_owned(),
                    path: None,
                });
            }
            Event::Alias(_) => reader.end_value(),
            _ => {}
        }
    }
    let texts = reader.texts.into_iter();
    Some(texts.map(YamlText::into_part).collect())
}

/// A string in the document.
struct YamlText {
    text: String,
    /// The line of its first character.
    line: usize,
    /// The line of its last one.
    last_line: usize,
    /// How the text is encoded, as its tag or a field of the same map says.
    encoding: Option<String>,
    /// The file to which it is written.
    path: Option<String>,
    /// Whether it is the URL of other user data.
    included: bool,
}

/// Collects the strings of a document.
#[derive(Default)]
struct YamlReader {
    texts: Vec<YamlText>,
    /// The maps and lists around the position, outermost first.
    open: Vec<YamlNode>,
}

/// A map or a list.
#[derive(Default)]
struct YamlNode {
    is_map: bool,
    /// The key whose value follows.
    key: Option<String>,
    /// The strings in it, with their keys.
    texts: Vec<(String, YamlText)>,
    /// Whether a list contains anything but strings.
    mixed: bool,
}

impl YamlReader {
    /// Whether a text is the URL of a configuration that Ignition merges or takes instead.
    fn at_included(&self, text: &str) -> bool {
        let mut keys = self.open.iter().map(|node| node.key.as_deref());
        keys.next() == Some(Some("ignition"))
            && keys.next() == Some(Some("config"))
            && keys.next_back() == Some(Some("source"))
            && !text.starts_with("data:")
    }

    fn begin(&mut self, is_map: bool) {
        if let Some(node) = self.open.last_mut() {
            node.mixed = true;
        }
        self.open.push(YamlNode {
            is_map,
            ..YamlNode::default()
        });
    }

    fn end(&mut self) {
        if let Some(node) = self.open.pop() {
            let in_commands = matches!(
                self.open.as_slice(),
                [YamlNode { key: Some(key), .. }, YamlNode { is_map: false, .. }]
                    if key == "runcmd" || key == "bootcmd"
            );
            match in_commands && !node.is_map && !node.mixed {
                true => self.texts.extend(command(node.texts)),
                false => self.texts.extend(field_texts(node.texts)),
            }
        }
        self.end_value();
    }

    fn text(&mut self, text: YamlText) {
        match self.open.last_mut() {
            Some(node) if node.is_map && node.key.is_none() => node.key = Some(text.text),
            Some(node) => node.texts.push((node.key.take().unwrap_or_default(), text)),
            None => self.texts.push(text),
        }
    }

    /// Ends a key or a value that is not a string.
    fn end_value(&mut self) {
        if let Some(node) = self.open.last_mut().filter(|node| node.is_map) {
            node.key = node.key.is_none().then(String::new);
        }
    }
}

/// The strings of a map; its `content` with what `encoding` and `path` say about it.
fn field_texts(fields: Vec<(String, YamlText)>) -> impl Iterator<Item = YamlText> {
    let field = |name: &str| {
        let (_, text) = fields.iter().find(|(key, _)| key == name)?;
        Some(text.text.clone())
    };
    let (encoding, path) = (field("encoding"), field("path"));
    let included = field("type").is_some_and(|kind| kind.starts_with(INCLUDE_TYPE));
    fields.into_iter().map(move |(key, text)| match &*key {
        "content" => YamlText {
            encoding: text.encoding.or_else(|| encoding.clone()),
            path: path.clone(),
            included,
            ..text
        },
        _ => text,
    })
}

/// The words of a command, quoted for a shell.
fn command(words: Vec<(String, YamlText)>) -> Option<YamlText> {
    let quoted = words
        .iter()
        .map(|(_, word)| match PLAIN.is_match(&word.text) {
            true => word.text.clone(),
            false => format!(
                "\"{}\"",
                word.text.replace('\\', r"\\").replace('"', "\\\"")
            ),
        });
    let text = quoted.collect::<Vec<_>>().join(" ");
    let (_, first) = words.into_iter().next()?;
    Some(YamlText {
        text,
        last_line: usize::MAX,
        ..first
    })
}

/// Padding is optional, as in Python's decoder.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl YamlText {
    fn into_part(self) -> PartResult {
        if self.included {
            return Err(NotRead::Included);
        }
        let encoding = self.encoding.unwrap_or_default().to_ascii_lowercase();
        let is_base64 = encoding.contains("b64") || encoding.contains("base64");
        let url = self.text.strip_prefix("data:");
        let (name, bytes, is_base64) = match url.and_then(|url| url.split_once(',')) {
            _ if is_base64 || encoding.starts_with("gz") => {
                let name = format!("file {}", self.path.unwrap_or_default())
                    .trim_end()
                    .to_owned();
                (name, self.text.into_bytes(), is_base64)
            }
            // A file of Ignition.
            Some((kind, data)) => {
                let bytes = percent_decode_str(data).collect();
                ("data URL".to_owned(), bytes, kind.ends_with(";base64"))
            }
            None if USER_DATA.is_match(&self.text) || INCLUDE.is_match(&self.text) => {
                ("part within".to_owned(), self.text.into_bytes(), false)
            }
            None => {
                let by_name = self.path.as_deref().and_then(by_file_name);
                let language = by_name.unwrap_or_else(|| language(&self.text));
                let mut script = Script::new(&self.text, self.line, language);
                script.last_line = self.last_line;
                return Ok(CloudConfigPart::Script(script));
            }
        };
        match is_base64 {
            true => decoded(name, &bytes),
            false => Ok(CloudConfigPart::UserData { name, bytes }),
        }
    }
}

/// User data in base64.
pub(crate) fn decoded(name: String, base64: &[u8]) -> PartResult {
    let mut base64 = base64.to_vec();
    base64.retain(|byte| !byte.is_ascii_whitespace());
    let bytes = BASE64.decode(base64).map_err(NotRead::Base64)?;
    Ok(CloudConfigPart::UserData { name, bytes })
}
