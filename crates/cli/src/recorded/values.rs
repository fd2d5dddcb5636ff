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
    /// Lines on which values are cut off or changed.
    pub(super) damaged: Vec<usize>,
}

/// Finds all values.
pub(super) fn values(text: &str) -> Values {
    whole(text).unwrap_or_else(|cut| {
        let mut found = by_line(text);
        found
            .damaged
            .extend(cut.filter(|cut| !found.damaged.contains(cut)));
        found
    })
}

/// Fails if there is something else than JSON in it, and tells where a document of many lines is cut off.
fn whole(text: &str) -> Result<Values, Option<usize>> {
    let mut values = Vec::new();
    let mut stream = Deserializer::from_str(text).into_iter::<Value>();
    let (mut line, mut end) = (1, 0);
    let lines = |part: Option<&str>| part.unwrap_or_default().matches('\n').count();
    while let Some(value) = stream.next() {
        let value = value.map_err(|error| {
            let is_cut = error.is_eof() && text.contains(MARK);
            is_cut.then(|| error.line())
        })?;
        if !(value.is_object() || value.is_array()) {
            return Err(None);
        }
        let rest = text.get(end..).unwrap_or_default();
        let begin = text.len() - rest.trim_start().len();
        line += lines(text.get(end..begin));
        values.push((line, value));
        end = stream.byte_offset();
        line += lines(text.get(begin..end));
    }
    Ok(Values {
        values,
        ..Values::default()
    })
}

fn by_line(text: &str) -> Values {
    let mut found = Values::default();
    // Where the line begins, and up to where values were read: one may have several lines.
    let (mut start, mut read) = (0, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let next = start + line.len();
        let mut is_found = read > start;
        // A time, a stream's name or a column may stand before each.
        let mut from = read.max(start);
        while let Some(begin) = text.get(from..next).and_then(|rest| rest.find('{')) {
            let begin = from + begin;
            let rest = text.get(begin..).unwrap_or_default();
            let mut stream = Deserializer::from_str(rest).into_iter::<Value>();
            match stream.next() {
                Some(Ok(value)) => {
                    found.values.push((number, value));
                    is_found = true;
                    read = begin + stream.byte_offset();
                    from = read;
                }
                Some(Err(_)) => {
                    if text.get(begin..next).is_some_and(|cut| cut.contains(MARK)) {
                        found.damaged.push(number);
                        is_found = true;
                    }
                    break;
                }
                None => break,
            }
        }
        if !is_found && !line.trim().is_empty() {
            found.skipped += 1;
        }
        start = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn finds(text: &str, expected: &[(usize, Value)], skipped: usize, damaged: &[usize]) {
        let found = values(text);
        assert_eq!(found.values, expected, "{text}");
        assert_eq!(
            (found.skipped, found.damaged.as_slice()),
            (skipped, damaged),
            "{text}"
        );
    }

    #[test]
    fn values_are_found_with_their_lines() {
        let (a, b) = (json!({ "a": [1] }), json!([{ "instance": "}" }]));
        finds("", &[], 0, &[]);
        finds("{\"a\":[1]}", &[(1, a.clone())], 0, &[]);
        let pretty = format!("{a:#}\n\n{b:#}\n{a}");
        let expected = [(1, a.clone()), (7, b), (12, a.clone())];
        finds(&pretty, &expected, 0, &[]);
        let (first, second) = ((2, a.clone()), (2, a.clone()));
        finds(&format!("START\n1 {a}\t{a}\n"), &[first, second], 1, &[]);
    }

    #[test]
    fn a_value_of_many_lines_may_stand_behind_something_else() {
        let a = json!({ "a": [1], "b": { "instance": "i" } });
        let text = format!("2026-03-01T10:00:00Z [$LATEST] {a:#}\nEND {{}}\n2026 {a:#} {a}\n");
        let expected = [(1, a.clone()), (9, json!({})), (10, a.clone()), (17, a)];
        finds(&text, &expected, 0, &[]);
    }

    #[test]
    fn what_is_cut_off_is_named_only_if_it_is_about_an_instance() {
        let whole = json!({ "instance": "i" });
        finds(
            &format!("{{\"instance\":\n1 {whole}\n"),
            &[(2, whole.clone())],
            0,
            &[1],
        );
        finds(
            &format!("{{\"other\":\n1 {whole}\n"),
            &[(2, whole.clone())],
            1,
            &[],
        );
        finds(
            &format!("{whole}\n{{\n\"instance\": [\n"),
            &[(1, whole)],
            2,
            &[4],
        );
    }
}
