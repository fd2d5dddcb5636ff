//! Reads a policy from its JSON document.

mod require;
mod rules;
mod when;

use super::fault::{Fault, Faults};
use super::json::Json;
use super::reader::{Node, Read, Reader, cut};
use super::{Action, Existing, Limits, Policy};

pub(super) fn read(text: &str) -> Result<Policy, Faults> {
    let json: Json = serde_json::from_str(text).map_err(|error| no_json(text, &error))?;
    let reader = Reader::default();
    let policy = policy(&reader.root(&json));
    reader.finish(policy)
}

fn policy(node: &Node) -> Read<Policy> {
    let known = [
        "$schema",
        "require",
        "on_violation",
        "rules",
        "limits",
        "existing",
    ];
    let object = node.object(
        "an object with at least `require` and `on_violation`",
        &known,
    )?;
    let schema = object.read("$schema", |node| {
        node.text("the schema's address", |_| true)
    });
    let require = object.need("require", require::EXPECTED, require::read);
    let on_violation = object.need(
        "on_violation",
        "one of `report`, `enforce`, `stop`, `terminate`",
        action,
    );
    let rules = object.read("rules", rules::read);
    let limits = object.read("limits", limits);
    let existing = object.read("existing", existing);
    schema?;
    Ok(Policy {
        require: require?,
        on_violation: on_violation?,
        rules: rules?.unwrap_or_default(),
        limits: limits?.unwrap_or_default(),
        existing: existing?.unwrap_or_default(),
    })
}

fn limits(node: &Node) -> Read<Limits> {
    let object = node.object(
        "an object of limits",
        &["terminations_per_hour", "grace_seconds", "mends_per_hour"],
    )?;
    let terminations_per_hour =
        object.read("terminations_per_hour", |node| node.number(0, 100_000));
    let grace_seconds = object.read("grace_seconds", |node| node.number(0, 600));
    let mends_per_hour = object.read("mends_per_hour", |node| node.number(1, 1000));
    let default = Limits::default();
    Ok(Limits {
        terminations_per_hour: terminations_per_hour?.unwrap_or(default.terminations_per_hour),
        grace_seconds: grace_seconds?.unwrap_or(default.grace_seconds),
        mends_per_hour: mends_per_hour?.unwrap_or(default.mends_per_hour),
    })
}

fn existing(node: &Node) -> Read<Existing> {
    let known = ["usage_window_days", "in_use", "unknown", "watch_days"];
    let object = node.object(
        "an object on what happens to instances that a sweep finds",
        &known,
    )?;
    let usage_window_days = object.read("usage_window_days", |node| node.number(1, 63));
    let in_use = object.read("in_use", action);
    let unknown = object.read("unknown", action);
    let watch_days = object.read("watch_days", |node| node.number(0, 63));
    let default = Existing::default();
    Ok(Existing {
        usage_window_days: usage_window_days?.unwrap_or(default.usage_window_days),
        in_use: in_use?.unwrap_or(default.in_use),
        unknown: unknown?.unwrap_or(default.unknown),
        watch_days: watch_days?.unwrap_or(default.watch_days),
    })
}

fn action(node: &Node) -> Read<Action> {
    node.word(&Action::ALL.map(|action| (action.as_str(), action)))
}

/// Shows the line up to where reading stopped; a policy in a variable is often a single line.
fn no_json(text: &str, error: &serde_json::Error) -> Faults {
    let line = text
        .lines()
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    let before = line.get(..error.column()).unwrap_or(line);
    let shown = before.chars().count().saturating_sub(60);
    let value = before.chars().skip(shown).collect::<String>();
    let value = if value.trim().is_empty() {
        "nothing".to_owned()
    } else {
        format!("`{}`", value.trim())
    };
    Faults(vec![Fault {
        path: "$".to_owned(),
        value: cut(value),
        expected: format!("a JSON document: {error}"),
    }])
}
