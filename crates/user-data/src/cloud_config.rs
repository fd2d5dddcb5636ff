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
}

pub(crate) type PartResult = Result<CloudConfigPart, NotRead>;

/// The parts; `None` where the text is not YAML, as a template is before it is rendered.
pub(crate) fn parts(text: &str) -> Option<Vec<PartResult>> {
    Some(texts(text)?.into_iter().map(YamlText::into_part).collect())
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

enum YamlNode {
    Map {
        /// The key whose value follows.
        key: Option<String>,
        fields: Vec<(String, YamlText)>,
    },
    List {
        /// The words of a command that is written as a list.
        words: Vec<YamlText>,
        /// Whether it contains anything but words.
        mixed: bool,
        /// Whether each list in it is a command.
        commands: bool,
    },
}

/// An alias repeats what was already read, and is not followed.
fn texts(yaml: &str) -> Option<Vec<YamlText>> {
    let mut reader = YamlReader::default();
    for event in Parser::new_from_str(yaml) {
        let (event, span) = event.ok()?;
        match event {
            Event::MappingStart(..) => reader.begin(YamlNode::Map {
                key: None,
                fields: Vec::new(),
            }),
            Event::SequenceStart(..) => reader.begin(YamlNode::List {
                words: Vec::new(),
                mixed: false,
                commands: reader.at_command_list(),
            }),
            Event::MappingEnd | Event::SequenceEnd => reader.end(),
            Event::Scalar(text, style, _, tag) => {
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                // The parser reports the line of the first word.
                let blank = text.len() - text.trim_start_matches('\n').len();
                let line = (span.start.line()).saturating_sub(if is_block { blank } else { 0 });
                let is_binary = tag.is_some_and(|tag| tag.suffix == "binary");
                reader.text(YamlText {
                    last_line: if is_block {
                        usize::MAX
                    } else {
                        span.end.line()
                    },
                    encoding: is_binary.then(|| "b64".to_owned()),
                    included: reader.at_included(&text),
                    ..YamlText::new(text.into_owned(), line.max(1))
                });
            }
            Event::Alias(_) => reader.end_value(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }
    Some(reader.texts)
}

impl YamlReader {
    /// Whether the list that begins is that of `runcmd` or `bootcmd`.
    fn at_command_list(&self) -> bool {
        matches!(
            self.open.as_slice(),
            [YamlNode::Map { key: Some(key), .. }] if key == "runcmd" || key == "bootcmd"
        )
    }

    /// Whether a text is the URL of a configuration that Ignition merges or takes instead.
    fn at_included(&self, text: &str) -> bool {
        let mut keys = self.open.iter().map(|node| match node {
            YamlNode::Map { key, .. } => key.as_deref(),
            YamlNode::List { .. } => None,
        });
        keys.next() == Some(Some("ignition"))
            && keys.next() == Some(Some("config"))
            && keys.next_back() == Some(Some("source"))
            && !text.starts_with("data:")
    }

    fn begin(&mut self, node: YamlNode) {
        if let Some(YamlNode::List { mixed, .. }) = self.open.last_mut() {
            *mixed = true;
        }
        self.open.push(node);
    }

    fn end(&mut self) {
        let ended = self.open.pop();
        let in_commands = matches!(
            self.open.last(),
            Some(YamlNode::List { commands: true, .. })
        );
        match ended {
            Some(YamlNode::List {
                words,
                mixed: false,
                ..
            }) if in_commands => self.texts.extend(command(&words)),
            Some(YamlNode::List { words, .. }) => self.texts.extend(words),
            Some(YamlNode::Map { fields, .. }) => self.texts.extend(field_texts(fields)),
            None => {}
        }
        self.end_value();
    }

    fn text(&mut self, text: YamlText) {
        match self.open.last_mut() {
            Some(YamlNode::Map {
                key: key @ None, ..
            }) => *key = Some(text.text),
            Some(YamlNode::Map { key, fields }) => {
                fields.push((key.take().unwrap_or_default(), text));
            }
            Some(YamlNode::List { words, .. }) => words.push(text),
            None => self.texts.push(text),
        }
    }

    /// Ends a key or a value that is not a string.
    fn end_value(&mut self) {
        if let Some(YamlNode::Map { key, .. }) = self.open.last_mut() {
            *key = match key {
                Some(_) => None,
                None => Some(String::new()),
            };
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
fn command(words: &[YamlText]) -> Option<YamlText> {
    let line = words.first()?.line;
    let is_plain = |letter: char| letter.is_alphanumeric() || "_-./:=@%+,$".contains(letter);
    let quoted = words.iter().map(|word| {
        if word.text.chars().all(is_plain) {
            word.text.clone()
        } else {
            let escaped = word.text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{escaped}\"")
        }
    });
    Some(YamlText::new(quoted.collect::<Vec<_>>().join(" "), line))
}

/// Padding is optional, as in Python's decoder.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl YamlText {
    fn new(text: String, line: usize) -> Self {
        YamlText {
            text,
            line,
            last_line: usize::MAX,
            encoding: None,
            path: None,
            included: false,
        }
    }

    fn into_part(self) -> PartResult {
        if self.included {
            return Err(NotRead::Included);
        }
        if let Some(part) = self.encoded_file().or_else(|| self.data_url()) {
            return part;
        }
        // The parts of an archive may be in any format.
        if self.text.trim_start().starts_with("#cloud-config")
            || self.text.contains("MIME-Version:")
            || INCLUDE.is_match(&self.text)
        {
            return Ok(CloudConfigPart::UserData {
                name: "part within".to_owned(),
                bytes: self.text.into_bytes(),
            });
        }
        let by_name = self.path.as_deref().and_then(by_file_name);
        let language = by_name.unwrap_or_else(|| language(&self.text));
        let mut script = Script::new(&self.text, self.line, language);
        script.last_line = self.last_line;
        Ok(CloudConfigPart::Script(script))
    }

    /// A file whose content is compressed or in base64.
    fn encoded_file(&self) -> Option<PartResult> {
        let encoding = self.encoding.as_deref()?.to_ascii_lowercase();
        let name = match &self.path {
            Some(path) => format!("file {path}"),
            None => "file".to_owned(),
        };
        if encoding.contains("b64") || encoding.contains("base64") {
            return Some(decoded(name, self.text.as_bytes()));
        }
        let bytes = self.text.as_bytes().to_vec();
        encoding
            .starts_with("gz")
            .then_some(Ok(CloudConfigPart::UserData { name, bytes }))
    }

    /// A file of Ignition, whose content is a URL.
    fn data_url(&self) -> Option<PartResult> {
        let (kind, data) = self.text.strip_prefix("data:")?.split_once(',')?;
        let name = "data URL".to_owned();
        let bytes: Vec<u8> = percent_decode_str(data).collect();
        Some(match kind.ends_with(";base64") {
            true => decoded(name, &bytes),
            false => Ok(CloudConfigPart::UserData { name, bytes }),
        })
    }
}

/// User data in base64.
pub(crate) fn decoded(name: String, base64: &[u8]) -> PartResult {
    let base64: Vec<u8> = base64
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    let bytes = BASE64.decode(base64).map_err(NotRead::Base64)?;
    Ok(CloudConfigPart::UserData { name, bytes })
}
