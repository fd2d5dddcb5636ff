//! Reads a policy from its JSON document.

mod require;
mod rules;
mod when;

use super::fault::{PolicyFault, PolicyFaults};
use super::json::Json;
use super::reader::{Node, Read, Reader, cut};
use super::{Action, Existing, Limits, NewInstances, Policy};

const VERSION: &str = "1, the version of the policy's format";

pub(super) fn read(text: &str) -> Result<Policy, PolicyFaults> {
    // Editors and shells on Windows begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json: Json = serde_json::from_str(text).map_err(|error| not_json(text, &error))?;
    let reader = Reader::default();
    let policy = policy(&reader.root(&json));
    reader.finish(policy)
}

fn policy(node: &Node) -> Read<Policy> {
    let known = [
        "$schema",
        "version",
        "require",
        "on_violation",
        "rules",
        "new_instances",
        "existing",
        "limits",
    ];
    let object = node.object(
        "an object with at least `require` and `on_violation`",
        &known,
    )?;
    let schema = object.read("$schema", |node| {
        node.text("the schema's address", |_| true)
    });
    let version = object.read("version", |node| node.number_or(1, 1, VERSION));
    let require = object.need("require", require::EXPECTED, require::read);
    let on_violation = object.need(
        "on_violation",
        "one of `report`, `enforce`, `stop`, `terminate`",
        action,
    );
    let rules = object.read("rules", rules::read);
    let limits = object.read("limits", limits);
    let new_instances = object.read("new_instances", new_instances);
    let existing = object.read("existing", existing);
    schema?;
    Ok(Policy {
        version: version?.unwrap_or(1),
        require: require?,
        on_violation: on_violation?,
        rules: rules?.unwrap_or_default(),
        limits: limits?.unwrap_or_default(),
        new_instances: new_instances?.unwrap_or_default(),
        existing: existing?.unwrap_or_default(),
    })
}

fn limits(node: &Node) -> Read<Limits> {
    let object = node.object(
        "an object of limits",
        &[
            "disruptions_per_hour",
            "enforcements_per_hour",
            "existing_per_hour",
        ],
    )?;
    let disruptions_per_hour = object.read("disruptions_per_hour", |node| node.number(0, 1000));
    let enforcements_per_hour = object.read("enforcements_per_hour", |node| node.number(1, 1000));
    let existing_per_hour = object.read("existing_per_hour", |node| node.number_or_null(0, 10_000));
    let default = Limits::default();
    Ok(Limits {
        disruptions_per_hour: disruptions_per_hour?.unwrap_or(default.disruptions_per_hour),
        enforcements_per_hour: enforcements_per_hour?.unwrap_or(default.enforcements_per_hour),
        existing_per_hour: existing_per_hour?.unwrap_or(default.existing_per_hour),
    })
}

fn new_instances(node: &Node) -> Read<NewInstances> {
    let known = [
        "disrupt_within_minutes",
        "enforce_within_hours",
        "in_use",
        "grace_seconds",
        "enforce_grace_seconds",
    ];
    let object = node.object("an object about new instances", &known)?;
    let disrupt_within_minutes = object.read("disrupt_within_minutes", |node| node.number(1, 60));
    let enforce_within_hours = object.read("enforce_within_hours", |node| node.number(1, 168));
    let in_use = object.read("in_use", at_most_enforce);
    let grace_seconds = object.read("grace_seconds", |node| node.number(0, 600));
    let enforce_grace_seconds = object.read("enforce_grace_seconds", |node| node.number(0, 600));
    let default = NewInstances::default();
    let new_instances = NewInstances {
        disrupt_within_minutes: disrupt_within_minutes?.unwrap_or(default.disrupt_within_minutes),
        enforce_within_hours: enforce_within_hours?.unwrap_or(default.enforce_within_hours),
        in_use: in_use?.unwrap_or(default.in_use),
        grace_seconds: grace_seconds?.unwrap_or(default.grace_seconds),
        enforce_grace_seconds: enforce_grace_seconds?.unwrap_or(default.enforce_grace_seconds),
    };
    let grace = new_instances.grace();
    if grace + 60 > 60 * u32::from(new_instances.disrupt_within_minutes) {
        let expected = "`grace_seconds` (60 unless given) and `enforce_grace_seconds` to be at least a \
                        minute shorter than `disrupt_within_minutes`";
        return Err(node.refuse(expected));
    }
    Ok(new_instances)
}

fn existing(node: &Node) -> Read<Existing> {
    let known = [
        "usage_window_days",
        "usage_data_hours",
        "in_use",
        "unknown",
        "watch_days",
        "stop_when_rejected",
    ];
    let object = node.object("an object about existing instances", &known)?;
    let usage_window_days = object.read("usage_window_days", |node| node.number(1, 63));
    let usage_data_hours = object.read("usage_data_hours", |node| node.number(1, 168));
    let in_use = object.read("in_use", at_most_enforce);
    let unknown = object.read("unknown", at_most_enforce);
    let watch_days = object.read("watch_days", |node| node.number(0, 63));
    let stop_when_rejected = object.read("stop_when_rejected", Node::truth);
    let default = Existing::default();
    let existing = Existing {
        usage_window_days: usage_window_days?.unwrap_or(default.usage_window_days),
        usage_data_hours: usage_data_hours?.unwrap_or(default.usage_data_hours),
        in_use: in_use?.unwrap_or(default.in_use),
        unknown: unknown?.unwrap_or(default.unknown),
        watch_days: watch_days?.unwrap_or(default.watch_days),
        stop_when_rejected: stop_when_rejected?.unwrap_or(default.stop_when_rejected),
    };
    if u32::from(existing.usage_data_hours) > 24 * u32::from(existing.usage_window_days) {
        let expected = "`usage_data_hours` (24 unless given) to fit into `usage_window_days`";
        return Err(node.refuse(expected));
    }
    Ok(existing)
}

/// Only new instances are stopped or terminated.
fn at_most_enforce(node: &Node) -> Read<Action> {
    node.word(&[Action::Report, Action::Enforce].map(|action| (action.as_str(), action)))
}

fn action(node: &Node) -> Read<Action> {
    node.word(&Action::ALL.map(|action| (action.as_str(), action)))
}

/// Shows the line up to where reading stopped, because a policy in an environment variable is often
/// a single line.
fn not_json(text: &str, error: &serde_json::Error) -> PolicyFaults {
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
    PolicyFaults(vec![PolicyFault {
        path: "$".to_owned(),
        value: cut(value),
        expected: format!("a JSON document: {error}"),
    }])
}
