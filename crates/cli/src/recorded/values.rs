//! JSON values in text: whole documents, JSON lines, and lines of logs with something before.

use serde_json::{Deserializer, Value};

/// What every report and every line about an instance has, also within a string.
const MARK: &str = "instance";

/// The values of a text.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Each with the line on which it begins, counted from 1.
    pub(super) values: Vec<(usize, Value)>,
    /// Lines without a value.
    pub(super) skipped: usize,
    /// Lines whose values are cut off or changed, and why.
    pub(super) damaged: Vec<(usize, String)>,
}

/// Finds all values.
pub(super) fn values(text: &str) -> Values {
    whole(text).unwrap_or_else(|cut| {
        let mut found = by_line(text);
        let is_named = |(line, _): &(usize, String)| found.damaged.iter().any(|it| it.0 == *line);
        found.damaged.extend(cut.filter(|cut| !is_named(cut)));
        found
    })
}

/// Fails if there is something else than JSON in it, and tells where a document of many lines is cut off.
fn whole(text: &str) -> Result<Values, Option<(usize, String)>> {
    let mut values = Vec::new();
    let mut stream = Deserializer::from_str(text).into_iter::<Value>();
    let (mut line, mut end) = (1, 0);
    while let Some(value) = stream.next() {
        let value = value.map_err(|error| {
            let is_cut = error.is_eof() && text.contains(MARK);
            is_cut.then(|| (error.line(), error.to_string()))
        })?;
        if !(value.is_object() || value.is_array()) {
            return Err(None);
        }
        values.push((line, value));
        let read = text.get(end..stream.byte_offset()).unwrap_or_default();
        line += read.matches('\n').count();
        end = stream.byte_offset();
    }
    Ok(Values {
        values,
        ..Values::default()
    })
}

fn by_line(text: &str) -> Values {
    let mut found = Values::default();
    for (number, line) in (1..).zip(text.lines()) {
        let mut rest = line;
        let mut is_found = false;
        // A time, a stream's name or a column may stand before each.
        while let Some(value) = rest.find('{').and_then(|at| rest.get(at..)) {
            let mut stream = Deserializer::from_str(value).into_iter::<Value>();
            match stream.next() {
                Some(Ok(read)) => {
                    found.values.push((number, read));
                    is_found = true;
                    rest = value.get(stream.byte_offset()..).unwrap_or_default();
                }
                Some(Err(error)) if value.contains(MARK) => {
                    found.damaged.push((number, error.to_string()));
                    is_found = true;
                    break;
                }
                Some(Err(_)) | None => break,
            }
        }
        if !is_found && !line.trim().is_empty() {
            found.skipped += 1;
        }
    }
    found
}
