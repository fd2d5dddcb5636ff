//! Reads a JSON document and collects every fault with its place. Independent of policies.

use std::cell::RefCell;

use serde_json::Number;

use super::fault::{PolicyFault, PolicyFaults};
use super::json::{Json, quoted};

/// Collects the faults of one document.
#[derive(Default)]
pub(super) struct Reader {
    faults: RefCell<Vec<(DocumentPlace, PolicyFault)>>,
}

/// A value's index in its parent, from the root down; sorts in the document's order.
type DocumentPlace = Vec<usize>;

/// A value that was read.
pub(super) type Read<T> = Result<T, NodeRefused>;

/// The value could not be read, and its fault was collected.
pub(super) struct NodeRefused;

/// A value of the document, and its place.
#[derive(Clone)]
pub(super) struct Node<'a> {
    reader: &'a Reader,
    root: &'a Json,
    json: &'a Json,
    place: DocumentPlace,
}

/// An object of the document, with each key once.
pub(super) struct Object<'a> {
    node: Node<'a>,
    fields: Vec<(&'a str, Node<'a>)>,
}

impl Reader {
    pub(super) fn root<'a>(&'a self, json: &'a Json) -> Node<'a> {
        Node {
            reader: self,
            root: json,
            json,
            place: DocumentPlace::new(),
        }
    }

    /// What was read, unless any value was refused.
    pub(super) fn finish<T>(self, read: Read<T>) -> Result<T, PolicyFaults> {
        let mut faults = self.faults.into_inner();
        match read {
            Ok(value) if faults.is_empty() => Ok(value),
            _ => {
                faults.sort_by(|(a, _), (b, _)| a.cmp(b));
                Err(PolicyFaults(
                    faults.into_iter().map(|(_, fault)| fault).collect(),
                ))
            }
        }
    }
}

impl<'a> Node<'a> {
    /// The JSON path. Computed from the place, because only refused nodes need it.
    pub(super) fn path(&self) -> String {
        let mut path = "$".to_owned();
        let mut json = Some(self.root);
        for &index in &self.place {
            json = match json {
                Some(Json::Object(fields)) => fields.get(index).map(|(key, json)| {
                    path.push_str(&step(key));
                    json
                }),
                Some(Json::List(items)) => {
                    path.push_str(&format!("[{index}]"));
                    items.get(index)
                }
                _ => None,
            };
        }
        path
    }

    pub(super) fn refuse(&self, expected: impl Into<String>) -> NodeRefused {
        self.note(self.path(), cut(self.json.to_string()), expected.into())
    }

    /// The fields of an object that may have any key.
    pub(super) fn fields(&self, expected: &str) -> Read<Vec<(&'a str, Node<'a>)>> {
        let Json::Object(entries) = self.json else {
            return Err(self.refuse(expected));
        };
        let mut fields: Vec<(&str, Node)> = Vec::with_capacity(entries.len());
        for (index, (key, json)) in entries.iter().enumerate() {
            let field = self.child(index, json);
            if fields.iter().any(|(known, _)| known == key) {
                field.refuse(format!("the key {} only once in its object", quoted(key)));
            } else {
                fields.push((key, field));
            }
        }
        Ok(fields)
    }

    /// An object that may have only the known fields.
    pub(super) fn object(&self, expected: &str, known: &[&str]) -> Read<Object<'a>> {
        let fields = self.fields(expected)?;
        let is_given = |name: &str| fields.iter().any(|(key, _)| *key == name);
        let mut left = known.to_vec();
        left.retain(|name| !is_given(name));
        let one_of = if known.len() > 1 {
            "one of the fields"
        } else {
            "the field"
        };
        for (key, field) in fields.iter().filter(|(key, _)| !known.contains(key)) {
            field.refuse(format!("{one_of} {}{}", listed(known), nearest(key, &left)));
        }
        Ok(Object {
            node: self.clone(),
            fields,
        })
    }

    /// An object with at least one of its fields.
    pub(super) fn filled_object(&self, expected: &str, known: &[&str]) -> Read<Object<'a>> {
        let object = self.object(expected, known)?;
        if object.fields.is_empty() {
            Err(self.refuse(expected))
        } else {
            Ok(object)
        }
    }

    /// The items of a list.
    pub(super) fn items(&self, expected: &str) -> Read<Vec<Node<'a>>> {
        let Json::List(items) = self.json else {
            return Err(self.refuse(expected));
        };
        Ok(self.children(items))
    }

    /// The items of a list that is not empty, or a single value in its place.
    pub(super) fn one_or_many(&self, expected: &str) -> Read<Vec<Node<'a>>> {
        let Json::List(items) = self.json else {
            return Ok(vec![self.clone()]);
        };
        if items.is_empty() {
            return Err(self.refuse(format!("{expected}, or a list of at least one")));
        }
        Ok(self.children(items))
    }

    pub(super) fn text(&self, expected: &str, fits: impl Fn(&str) -> bool) -> Read<&'a str> {
        if let Json::Text(text) = self.json
            && fits(text)
        {
            return Ok(text);
        }
        Err(self.refuse(expected))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Read<T> {
        let given = if let Json::Text(text) = self.json {
            text.as_str()
        } else {
            ""
        };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given) {
            return Ok(*meaning);
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let one_of = if words.len() > 1 { "one of " } else { "" };
        Err(self.refuse(format!(
            "{one_of}{}{}",
            listed(&words),
            nearest(given, &words)
        )))
    }

    pub(super) fn truth(&self) -> Read<bool> {
        let Json::Bool(value) = self.json else {
            return Err(self.refuse("`true` or `false`"));
        };
        Ok(*value)
    }

    /// A whole number, both ends included.
    pub(super) fn number<T: TryFrom<i64>>(&self, least: i64, most: i64) -> Read<T> {
        self.number_or(
            least,
            most,
            &format!("a whole number from {least} to {most}"),
        )
    }

    /// A whole number, both ends included, or null.
    pub(super) fn number_or_null<T: TryFrom<i64>>(&self, least: i64, most: i64) -> Read<Option<T>> {
        if matches!(self.json, Json::Null) {
            return Ok(None);
        }
        let expected = format!("a whole number from {least} to {most}, or null");
        self.number_or(least, most, &expected).map(Some)
    }

    /// A whole number, both ends included, with its own message.
    pub(super) fn number_or<T: TryFrom<i64>>(
        &self,
        least: i64,
        most: i64,
        expected: &str,
    ) -> Read<T> {
        let given = if let Json::Number(number) = self.json {
            whole(number)
        } else {
            None
        };
        given
            .filter(|number| (least..=most).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.refuse(expected))
    }

    fn children(&self, items: &'a [Json]) -> Vec<Node<'a>> {
        let numbered = items.iter().enumerate();
        numbered
            .map(|(index, json)| self.child(index, json))
            .collect()
    }

    fn child(&self, index: usize, json: &'a Json) -> Node<'a> {
        let place = self.place.iter().copied().chain([index]).collect();
        Node {
            reader: self.reader,
            root: self.root,
            json,
            place,
        }
    }

    fn note(&self, path: String, value: String, expected: String) -> NodeRefused {
        let fault = PolicyFault {
            path,
            value,
            expected,
        };
        self.reader
            .faults
            .borrow_mut()
            .push((self.place.clone(), fault));
        NodeRefused
    }
}

impl<'a> Object<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.fields
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, field)| field)
    }

    pub(super) fn read<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Node<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        self.get(key).map(read).transpose()
    }

    pub(super) fn need<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&Node<'a>) -> Read<T>,
    ) -> Read<T> {
        match self.get(key) {
            Some(field) => read(field),
            None => Err(self.missing(key, expected)),
        }
    }

    pub(super) fn missing(&self, key: &str, expected: &str) -> NodeRefused {
        let path = format!("{}{}", self.node.path(), step(key));
        self.node
            .note(path, "missing".to_owned(), expected.to_owned())
    }
}

/// A key as a step of a JSON path.
fn step(key: &str) -> String {
    let is_name = key.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && key
            .chars()
            .all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    if is_name {
        format!(".{key}")
    } else {
        format!("[{}]", quoted(key))
    }
}

fn listed(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A suggestion where a word looks like a typing error.
fn nearest(given: &str, words: &[&str]) -> String {
    let distance = |word: &str| strsim::osa_distance(&given.to_lowercase(), word);
    let nearest = words.iter().min_by_key(|word| distance(word));
    match nearest {
        Some(word) if distance(word) <= word.len() / 3 => format!("; did you mean `{word}`?"),
        _ => String::new(),
    }
}

/// JSON makes no difference between `2` and `2.0`.
fn whole(number: &Number) -> Option<i64> {
    let rounded = || {
        number
            .as_f64()
            .filter(|value| value.fract() == 0.0)
            .map(|value| value as i64)
    };
    number.as_i64().or_else(rounded)
}

pub(super) fn cut(text: String) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}
