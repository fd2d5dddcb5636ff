//! Finds scripts in cloud-config and its like: every text in the YAML may be one.
//!
//! <https://cloudinit.readthedocs.io/en/latest/reference/modules.html>

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::error::NotRead;
use crate::language::{Language, by_file_name, language};

/// What a text in the document is.
pub(crate) enum Part {
    /// A script, or what may be one.
    Script {
        text: String,
        /// The line in the document where it begins.
        line: usize,
        language: Language,
    },
    /// User data of its own.
    Bytes {
        /// Such as `file /etc/profile`.
        name: String,
        bytes: Vec<u8>,
    },
    /// It cannot be decoded.
    NotRead(NotRead),
}

/// The parts; `None` where the text is no YAML, as it is before a template is filled in.
///
/// The events of the parser are followed as they come: an alias repeats what was already read, and
/// is not followed.
pub(crate) fn parts(text: &str) -> Option<Vec<Part>> {
    Some(texts(text)?.into_iter().map(Text::into_part).collect())
}

/// A text in the document.
struct Text {
    text: String,
    /// The line of its first letter.
    line: usize,
    /// How the text is packed, as a field beside it says.
    encoding: Option<String>,
    /// The file that it is written to.
    path: Option<String>,
}

/// A map or a list that is not at its end.
enum Open {
    Map {
        key: Option<String>,
        /// The texts of its fields.
        fields: Vec<(String, Text)>,
    },
    List {
        /// The words of a command that is written as a list.
        words: Vec<Text>,
        /// Whether it holds anything but words.
        mixed: bool,
        /// Whether each list within it is a command.
        commands: bool,
    },
}

fn texts(yaml: &str) -> Option<Vec<Text>> {
    let mut texts = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(yaml) {
        let (event, span) = event.ok()?;
        match event {
            Event::MappingStart(..) => {
                note_nested(&mut open);
                open.push(Open::Map {
                    key: None,
                    fields: Vec::new(),
                });
            }
            Event::SequenceStart(..) => {
                let commands = runs_commands(&open);
                note_nested(&mut open);
                open.push(Open::List {
                    words: Vec::new(),
                    mixed: false,
                    commands,
                });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let ended = open.pop();
                let within_commands =
                    matches!(open.last(), Some(Open::List { commands: true, .. }));
                texts.extend(
                    ended
                        .into_iter()
                        .flat_map(|ended| ended.texts(within_commands)),
                );
                value_ends(&mut open);
            }
            Event::Scalar(text, style, ..) => {
                // A block is said to begin where its first word stands.
                let blank = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => {
                        text.chars().take_while(|letter| *letter == '\n').count()
                    }
                    ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => 0,
                };
                let line = span.start.line().saturating_sub(blank).max(1);
                let text = Text {
                    text: text.into_owned(),
                    line,
                    encoding: None,
                    path: None,
                };
                match open.last_mut() {
                    Some(Open::Map {
                        key: key @ None, ..
                    }) => *key = Some(text.text),
                    Some(Open::Map { key, fields }) => {
                        fields.push((key.take().unwrap_or_default(), text));
                    }
                    Some(Open::List { words, .. }) => words.push(text),
                    None => texts.push(text),
                }
            }
            Event::Alias(_) => value_ends(&mut open),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }
    Some(texts)
}

fn note_nested(open: &mut [Open]) {
    if let Some(Open::List { mixed, .. }) = open.last_mut() {
        *mixed = true;
    }
}

/// After a value that is no text, a map's next text is a key.
fn value_ends(open: &mut [Open]) {
    if let Some(Open::Map { key, .. }) = open.last_mut() {
        match key {
            Some(_) => *key = None,
            // The value was a key.
            None => *key = Some(String::new()),
        }
    }
}

/// Whether the list that begins is one of `runcmd` or `bootcmd`.
fn runs_commands(open: &[Open]) -> bool {
    matches!(open, [Open::Map { key: Some(key), .. }] if key == "runcmd" || key == "bootcmd")
}

impl Open {
    /// `as_command`: a list is the words of one command.
    fn texts(self, as_command: bool) -> Vec<Text> {
        match self {
            Open::List {
                words,
                mixed: false,
                ..
            } if as_command => command(&words).into_iter().collect(),
            Open::List { words, .. } => words,
            Open::Map { fields, .. } => {
                let field = |name: &str| {
                    let (_, text) = fields.iter().find(|(key, _)| key == name)?;
                    Some(text.text.clone())
                };
                let (encoding, path) = (field("encoding"), field("path"));
                fields
                    .into_iter()
                    .map(|(key, text)| {
                        let is_content = key == "content";
                        let encoding = encoding.clone().filter(|_| is_content);
                        let path = path.clone().filter(|_| is_content);
                        Text {
                            encoding,
                            path,
                            ..text
                        }
                    })
                    .collect()
            }
        }
    }
}

/// The words as a shell would read them.
fn command(words: &[Text]) -> Option<Text> {
    let line = words.first()?.line;
    let quoted = words.iter().map(|word| {
        let plain = |letter: char| letter.is_alphanumeric() || "_-./:=@%+,$".contains(letter);
        if word.text.chars().all(plain) {
            word.text.clone()
        } else {
            let escaped = word.text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{escaped}\"")
        }
    });
    let text = quoted.collect::<Vec<_>>().join(" ");
    Some(Text {
        text,
        line,
        encoding: None,
        path: None,
    })
}

/// As Python decodes: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Text {
    fn into_part(self) -> Part {
        let encoding = self
            .encoding
            .as_deref()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let base64 = encoding.contains("b64") || encoding.contains("base64");
        if base64 || encoding.starts_with("gz") {
            let name = match &self.path {
                Some(path) => format!("file {path}"),
                None => "file".to_owned(),
            };
            if base64 {
                let packed: String = self.text.split_whitespace().collect();
                return decoded(name, packed.as_bytes());
            }
            let bytes = self.text.into_bytes();
            return Part::Bytes { name, bytes };
        }
        // Ignition's files stand in URLs.
        if let Some((kind, data)) = self
            .text
            .strip_prefix("data:")
            .and_then(|url| url.split_once(','))
        {
            let name = "data URL".to_owned();
            let bytes: Vec<u8> = percent_decode_str(data).collect();
            return match kind.ends_with(";base64") {
                true => decoded(name, &bytes),
                false => Part::Bytes { name, bytes },
            };
        }
        // Parts within an archive have forms of their own.
        if self.text.trim_start().starts_with("#cloud-config")
            || self.text.contains("MIME-Version:")
        {
            return Part::Bytes {
                name: "part within".to_owned(),
                bytes: self.text.into_bytes(),
            };
        }
        let by_name = self.path.as_deref().and_then(by_file_name);
        Part::Script {
            language: by_name.unwrap_or_else(|| language(&self.text)),
            text: self.text,
            line: self.line,
        }
    }
}

fn decoded(name: String, base64: &[u8]) -> Part {
    match BASE64.decode(base64) {
        Ok(bytes) => Part::Bytes { name, bytes },
        Err(why) => Part::NotRead(NotRead::Base64(why)),
    }
}
