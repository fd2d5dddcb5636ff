//! The columns of the tables in the terminal and in HTML.

use std::fmt::Display;

use imds_core::count::thousands;
use imds_core::launcher::TemplateCompliance;
use imds_core::options::{HttpTokens, MetadataOptions};
use imds_core::plain::Plain;
use imds_core::report::Outcome;
use imds_engine::{RegionDefaults, ScannedInstance, ScannedTemplate};
use imds_user_data::Finding;

use super::grid::{Cell, Column, LAST, Tone};
use super::survey::{LaunchedFrom, Survey};
use super::tags;
use super::words::{self, Message};
use crate::document::{CommandTrigger, Document};
use crate::usage_by_source::OriginUsage;

/// The columns of instances; the caller provides those for the decision.
pub(super) fn instances<'a, const N: usize>(
    document: &'a Document,
    survey: &Survey,
    decision: [Column<'a, ScannedInstance>; N],
) -> Vec<Column<'a, ScannedInstance>> {
    let account = |it: &ScannedInstance| Cell::text(it.report.account.as_deref());
    let region = |it: &ScannedInstance| Cell::text(it.report.region.as_str());
    let usage = |it: &ScannedInstance| Cell::shortening(words::usage(it.report.usage.as_ref()));
    let hops = Column::fixed("HOPS", |it: &ScannedInstance| {
        Cell::optional(before(it).hop_limit)
    });
    let name = Column::flexible("NAME", 8, |it: &ScannedInstance| {
        Cell::text(it.name.as_deref())
    });
    let mut columns = Vec::new();
    if survey.several_accounts {
        columns.push(Column::fixed("ACCOUNT", account).dropped(6));
    }
    columns.extend([
        Column::fixed("REGION", region),
        Column::fixed("INSTANCE", |it: &ScannedInstance| {
            Cell::new(&it.report.instance_id)
        }),
        name.enough(16).dropped(LAST),
        Column::fixed("STATE", |it: &ScannedInstance| Cell::optional(it.state)).dropped(2),
        Column::fixed("TOKENS", |it: &ScannedInstance| {
            Cell::optional(before(it).http_tokens)
        })
        .dropped(5),
        hops.right().dropped(3),
        Column::fixed("ENDPOINT", |it: &ScannedInstance| {
            Cell::optional(before(it).http_endpoint)
        })
        .dropped(1),
    ]);
    if document.usage_days.is_some() {
        columns.push(
            Column::flexible("USAGE", 8, usage)
                .evidence()
                .dropped(LAST + 1),
        );
    }
    let keys = document.scope.show_tags.iter();
    columns.extend(keys.map(|key| tags::column(key, tags::tags_of)));
    columns.extend(decision);
    if document.trigger == CommandTrigger::Enforce {
        columns.push(Column::fixed("OUTCOME", outcome));
    }
    if !survey.launched_from.is_empty() {
        let column = Column::flexible("LAUNCHED FROM", 20, launched_from);
        columns.push(column.enough(24).dropped(4));
    }
    columns
}

fn launched_from(instance: &ScannedInstance) -> Cell {
    let from = LaunchedFrom::non_compliant(instance);
    let template = instance.report.launch_template.as_ref();
    Cell::shortening(from.map_or(vec![], |from| {
        let id = Plain(from.id);
        let brief = match template.map(|template| &template.version) {
            Some(Some(version)) => format!("{id} v{}", Plain(version)),
            Some(None) => id.to_string(),
            None => format!("ASG {id}"),
        };
        vec![from.label, brief]
    }))
}

fn before(instance: &ScannedInstance) -> MetadataOptions {
    instance.report.before.unwrap_or_default()
}

/// Colours what is not compliant.
pub(super) fn tone(instance: &ScannedInstance) -> Tone {
    match instance.is_non_compliant() {
        true => Tone::Warning,
        false => Tone::Plain,
    }
}

fn outcome(instance: &ScannedInstance) -> Cell {
    let outcome = instance.report.outcome;
    let tone = if outcome == Outcome::Failed {
        Tone::Error
    } else if outcome == Outcome::Enforced {
        Tone::Good
    } else {
        Tone::Plain
    };
    Cell::new(outcome.as_str()).toned(tone)
}

/// The region and label of what launches non-compliant instances, and the number of those instances.
pub(super) type LauncherRow<'a> = (&'a str, &'a str, usize);

/// The columns of what launches non-compliant instances.
pub(super) fn launchers<'a>() -> [Column<'static, LauncherRow<'a>>; 3] {
    [
        Column::fixed("REGION", |it: &LauncherRow| Cell::text(it.0)),
        Column::flexible("LAUNCHED FROM", 20, |it: &LauncherRow| Cell::new(it.1)),
        Column::fixed("NON-COMPLIANT", |it: &LauncherRow| {
            Cell::new(thousands(it.2))
        })
        .right(),
    ]
}

/// The columns of the use of IMDSv1 by what launched the instances.
pub(super) fn usage_by_source<'a>() -> [Column<'static, OriginUsage<'a>>; 6] {
    type Row<'a> = OriginUsage<'a>;
    [
        Column::fixed("REGION", |it: &Row| Cell::text(it.region)),
        Column::flexible("LAUNCHED FROM", 20, |it: &Row| Cell::new(it.launched_from)),
        Column::fixed("IN USE", |it: &Row| Cell::new(thousands(it.in_use)))
            .right()
            .dropped(3),
        Column::fixed("UNUSED", |it: &Row| Cell::new(thousands(it.unused)))
            .right()
            .dropped(2),
        Column::fixed("UNKNOWN", |it: &Row| Cell::new(thousands(it.unknown)))
            .right()
            .dropped(1),
        Column::flexible("OUTLOOK", 20, |it: &Row| Cell::new(it.outlook())).evidence(),
    ]
}

/// A call without a token in user data.
pub(super) struct CallRow<'a> {
    region: &'a str,
    /// The instance, or the launch template or configuration; safe to print.
    found_in: String,
    /// Whether tokens are required there; `None`: not known.
    http_tokens: Option<HttpTokens>,
    call: &'a Finding,
}

/// The calls without a token in the user data of instances and templates.
pub(super) fn call_rows(document: &Document) -> Vec<CallRow<'_>> {
    let instances = document.instances.iter().flat_map(|it| {
        let found_in = it.report.instance_id.to_string();
        let http_tokens = before(it).http_tokens;
        rows(&it.report.region, found_in, http_tokens, &it.user_data)
    });
    let templates = document.templates.iter().flatten().flat_map(|it| {
        let found_in = template_name(it);
        rows(&it.region, found_in, it.http_tokens, &it.user_data)
    });
    instances.chain(templates).collect()
}

fn rows<'a>(
    region: &'a str,
    found_in: String,
    http_tokens: Option<HttpTokens>,
    calls: &'a [Finding],
) -> impl Iterator<Item = CallRow<'a>> {
    calls.iter().map(move |call| CallRow {
        region,
        found_in: found_in.clone(),
        http_tokens,
        call,
    })
}

/// The id and the version of a template, or the name of a configuration; safe to print.
pub(super) fn template_name(template: &ScannedTemplate) -> String {
    let id = Plain(&template.id);
    match template.number {
        Some(number) => format!("{id} version {number}"),
        None => id.to_string(),
    }
}

/// The columns of calls without a token. They fail where tokens are required.
pub(super) fn calls<'a>() -> [Column<'static, CallRow<'a>>; 5] {
    let tokens = |it: &CallRow| match it.http_tokens {
        Some(HttpTokens::Required) => Cell::shortening(vec![
            "required: the call fails".to_owned(),
            "required: fails".to_owned(),
        ])
        .toned(Tone::Error),
        Some(HttpTokens::Optional) => Cell::new("optional"),
        None => Cell::new("unknown"),
    };
    [
        Column::fixed("REGION", |it: &CallRow| Cell::text(it.region)).dropped(1),
        Column::flexible("FOUND IN", 12, |it: &CallRow| Cell::new(&it.found_in)),
        Column::fixed("LINE", |it: &CallRow| Cell::new(it.call.line)).right(),
        Column::flexible("TOKENS", 15, tokens),
        Column::flexible("CALL", 20, |it: &CallRow| {
            Cell::text(it.call.words.as_str())
        })
        .evidence(),
    ]
}

/// The columns, with the account in front if the document has several.
pub(super) fn with_account<'a, T>(
    document: &Document,
    columns: impl Into<Vec<Column<'a, T>>>,
    account: fn(&T) -> &Option<String>,
) -> Vec<Column<'a, T>>
where
    T: 'a,
{
    let mut columns = columns.into();
    if document.has_several_accounts() {
        let cell = move |it: &T| Cell::text(account(it).as_deref());
        columns.insert(0, Column::fixed("ACCOUNT", cell));
    }
    columns
}

/// The columns of launch templates and configurations.
pub(super) fn templates() -> [Column<'static, ScannedTemplate>; 8] {
    [
        Column::fixed("REGION", |it: &ScannedTemplate| {
            Cell::text(it.region.as_str())
        }),
        Column::flexible("KIND", 6, |it: &ScannedTemplate| {
            Cell::new(it.kind.as_str())
        })
        .dropped(1),
        Column::flexible("ID", 20, |it: &ScannedTemplate| Cell::text(it.id.as_str())),
        Column::flexible("NAME", 10, |it: &ScannedTemplate| {
            Cell::text(it.name.as_deref())
        })
        .dropped(2),
        Column::flexible("VERSION", 8, |it: &ScannedTemplate| {
            Cell::text(it.version.as_deref())
        })
        .dropped(4),
        Column::flexible("USED BY", 12, used_by).dropped(3),
        Column::fixed("NEXT INSTANCE", |it: &ScannedTemplate| {
            match it.compliance {
                TemplateCompliance::Compliant => Cell::new("compliant"),
                TemplateCompliance::NonCompliant => Cell::new("non-compliant").toned(Tone::Warning),
                TemplateCompliance::Unknown => Cell::new("unknown").toned(Tone::Warning),
            }
        }),
        Column::flexible("REASON", 20, |it: &ScannedTemplate| {
            Cell::new(Message(&it.reason))
        })
        .enough(40)
        .evidence(),
    ]
}

fn used_by(template: &ScannedTemplate) -> Cell {
    let users = template.used_by.iter().map(ToString::to_string);
    Cell::new(users.collect::<Vec<_>>().join(", "))
}

/// The columns of the account's metadata defaults.
pub(super) fn defaults() -> [Column<'static, RegionDefaults>; 7] {
    let tags = |it: &RegionDefaults| preference(it.defaults.instance_metadata_tags);
    let enforced = |it: &RegionDefaults| preference(it.defaults.http_tokens_enforced);
    let managed_by = |it: &RegionDefaults| Cell::text(it.defaults.managed_by.as_deref());
    [
        Column::fixed("REGION", |it: &RegionDefaults| {
            Cell::text(it.region.as_str())
        }),
        Column::fixed("TOKENS", |it: &RegionDefaults| {
            preference(it.defaults.http_tokens)
        }),
        Column::fixed("HOP LIMIT", |it: &RegionDefaults| {
            preference(it.defaults.hop_limit)
        })
        .right(),
        Column::fixed("ENDPOINT", |it: &RegionDefaults| {
            preference(it.defaults.http_endpoint)
        })
        .dropped(2),
        Column::fixed("TAGS", tags).dropped(1),
        Column::fixed("TOKENS ENFORCED", enforced),
        Column::flexible("MANAGED BY", 10, managed_by),
    ]
}

fn preference(value: Option<impl Display>) -> Cell {
    Cell::new(value.map_or("no preference".to_owned(), |value| value.to_string()))
}
