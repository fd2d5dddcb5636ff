//! Next steps for launch templates and launch configurations, in the order of the risk.

use std::path::Path;

use imds_core::count::count;
use imds_core::options::{MetadataOption, MetadataOptions};
use imds_core::plain::Plain;
use imds_core::usage::Usage;
use imds_engine::{ScannedInstance, ScannedTemplate, TemplateKind};
use serde_json::{Map, Value};

use super::NextStep;
use crate::coverage::{Unexamined, not_examined};
use crate::document::Document;
use crate::output::columns::template_name;
use crate::quote::quoted;

/// Those to change first: whose instances do not use IMDSv1, then whose instances are to be moved off it;
/// then all others.
pub(in crate::output) fn in_order(document: &Document) -> Vec<&ScannedTemplate> {
    let mut all: Vec<&ScannedTemplate> = document.templates.iter().flatten().collect();
    all.sort_by_key(|it| match it.is_violation() {
        true => u8::from(!in_use(it, document).is_empty()),
        false => 2,
    });
    all
}

/// First the templates whose instances do not use IMDSv1, then those to move off IMDSv1 first.
pub(super) fn steps(document: &Document) -> Vec<NextStep> {
    let templates = document.templates.iter().flatten();
    let open = templates.filter(|it| !it.is_compliant());
    let (versions, configurations): (Vec<&ScannedTemplate>, Vec<&ScannedTemplate>) =
        open.partition(|it| it.kind == TemplateKind::LaunchTemplate);
    let with_reasons = versions.into_iter().map(|it| (it, in_use(it, document)));
    let (unused, used): (Vec<TemplateRow>, Vec<TemplateRow>) =
        with_reasons.partition(|(_, reasons)| reasons.is_empty());
    let how = "Otherwise the next instance is not compliant either. Each command creates a version \
               that keeps the other options, and a default version is made the default again. What \
               is pinned to a version must be set to the new one. A new version is the latest: check \
               what launches from $Latest.";
    let ready = update(document, &unused, |versions| {
        let what = format!("Update {versions} whose instances do not use IMDSv1");
        NextStep::new(what, how)
    });
    let later = update(document, &used, |versions| {
        let what = format!("Move the instances of {versions} off IMDSv1 first, then update them");
        let how = format!("Software that calls without a token fails on the next instance. {how}");
        NextStep::new(what, how)
    });
    let replace = (!configurations.is_empty()).then(|| {
        let names = configurations.iter().map(|it| name(it, &[]));
        let names: Vec<String> = names.collect();
        let what = format!("Replace {}", count(names.len(), "launch configuration"));
        let how = "A launch configuration cannot be changed. Create a launch template that requires \
                   tokens, and let its Auto Scaling groups launch from that.";
        NextStep::new(what, how).names(names.iter().map(String::as_str))
    });
    [ready, later, replace].into_iter().flatten().collect()
}

/// A version, and why its instances are to be moved off IMDSv1 first.
type TemplateRow<'a> = (&'a ScannedTemplate, Vec<String>);

fn update(
    document: &Document,
    rows: &[TemplateRow],
    step: impl FnOnce(String) -> NextStep,
) -> Option<NextStep> {
    let names: Vec<String> = rows.iter().map(|(it, reasons)| name(it, reasons)).collect();
    let versions = count(rows.len(), "launch template version");
    let connection = document.scope.connection.words();
    // The version that is the latest stays the latest.
    let latest_last = || rows.iter().map(|(it, _)| *it);
    let others = latest_last().filter(|it| !it.is_latest);
    let ordered = others.chain(latest_last().filter(|it| it.is_latest));
    let commands: Vec<String> = ordered.filter_map(|it| command(it, &connection)).collect();
    (!rows.is_empty()).then(|| {
        let names = names.iter().map(String::as_str);
        step(versions).names(names).commands(commands)
    })
}

fn name(template: &ScannedTemplate, reasons: &[String]) -> String {
    let (name, region) = (template_name(template), Plain(&template.region));
    let users = template.used_by.iter().map(ToString::to_string);
    let used_by = match users.collect::<Vec<_>>().join(", ") {
        users if users.is_empty() => String::new(),
        users => format!(", used by {users}"),
    };
    match reasons {
        [] => format!("{name} ({region}){used_by}"),
        reasons => format!("{name} ({region}){used_by}: {}", reasons.join(", ")),
    }
}

/// Why software on the template's instances may use IMDSv1; empty: it does not.
fn in_use(template: &ScannedTemplate, document: &Document) -> Vec<String> {
    let instances = document.instances.iter().filter(|it| is_of(it, template));
    let (mut used, mut unknown) = (0, 0);
    for instance in instances {
        match instance.report.usage {
            Some(Usage::InUse { .. }) => used += 1,
            Some(Usage::Unused { .. }) => {}
            Some(Usage::Unknown { .. }) | None => unknown += 1,
        }
    }
    let mut reasons = Vec::new();
    if !template.user_data.is_empty() {
        let calls = count(template.user_data.len(), "call");
        reasons.push(format!("{calls} without a token in its user data"));
    }
    if used > 0 {
        let uses = if used == 1 { "uses" } else { "use" };
        reasons.push(format!("{} {uses} IMDSv1", count(used, "instance")));
    }
    if unknown > 0 {
        reasons.push(format!("not known for {}", count(unknown, "instance")));
    }
    let mut unreachable = document.unreachable.iter();
    let mut not_examined = not_examined(document).into_iter();
    if not_examined.any(|it| it.what == Unexamined::Instances)
        || unreachable.any(|it| it.region == template.region)
    {
        reasons.push("not all of its instances were examined".to_owned());
    }
    reasons
}

/// Whether this is a non-compliant instance of the template, of any version.
fn is_of(instance: &ScannedInstance, template: &ScannedTemplate) -> bool {
    let report = &instance.report;
    let from = report.launch_template.as_ref();
    instance.is_non_compliant()
        && report.region == template.region
        && (template.account.is_none() || report.account == template.account)
        && from.is_some_and(|from| from.id == template.id)
}

/// Creates a version with the required options, and makes it the default if it replaces the default.
fn command(template: &ScannedTemplate, connection: &str) -> Option<String> {
    let number = template.number?;
    let (id, region) = (Path::new(&template.id), Path::new(&template.region));
    let place = format!(
        "--region {} --launch-template-id {}",
        quoted(region),
        quoted(id)
    );
    let options = metadata_options(&template.required_options);
    let create = format!(
        "aws ec2 create-launch-template-version {place} --source-version {number} \
         --launch-template-data '{options}' --query LaunchTemplateVersion.VersionNumber \
         --output text{connection}"
    );
    Some(match template.is_default {
        true => format!(
            "aws ec2 modify-launch-template {place} --default-version \"$({create})\"{connection}"
        ),
        false => create,
    })
}

/// The options as JSON of the API. A version replaces those of its source as a whole.
fn metadata_options(options: &MetadataOptions) -> Value {
    let settings = options.settings().map(|setting| {
        let (option, value) = (setting.option(), setting.value());
        let number = value.parse::<u8>().ok();
        let number = number.filter(|_| option == MetadataOption::HopLimit);
        let value = number.map_or(Value::String(value), Value::from);
        (option.parameter().to_owned(), value)
    });
    let settings: Map<String, Value> = settings.collect();
    Value::Object(Map::from_iter([(
        "MetadataOptions".to_owned(),
        Value::Object(settings),
    )]))
}
