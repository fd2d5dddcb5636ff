//! What a report covers, in words.

use imds_core::plain::Plain;

use crate::coverage::{NotExamined, Source, not_examined};
use crate::document::Document;

/// Names the account, the profile, the endpoint, the policy and the filters; each with its label.
pub(super) fn scope(document: &Document) -> Vec<(&'static str, String)> {
    if !document.sources.is_empty() {
        return document
            .sources
            .iter()
            .map(|it| ("report", source(it)))
            .collect();
    }
    let (scope, policy) = (&document.scope, &document.policy);
    let account = document.account.as_deref().map(|it| Plain(it).to_string());
    let text = |text: &Option<String>| text.as_deref().map(|it| Plain(it).to_string());
    let path = scope.required.policy.as_ref();
    let name = path
        .or(scope.plan.as_ref())
        .map(|path| path.display().to_string());
    let requires = match name {
        Some(name) => format!("{}: {}", Plain(&name), policy.requires),
        None => policy.requires.clone(),
    };
    let filters = [scope.region_words(), scope.instance_words()].concat();
    let filters = Some(Plain(filters.trim()).to_string());
    let all = [
        ("account", account.or_else(|| Some("not known".to_owned()))),
        ("profile", text(&scope.connection.profile)),
        ("endpoint", text(&scope.connection.endpoint_url)),
        ("policy", Some(requires)),
        ("filters", filters.filter(|it| !it.is_empty())),
    ];
    let all = all.into_iter();
    all.filter_map(|(label, text)| Some((label, text?)))
        .collect()
}

/// A report that was joined: its file, account, time, and what newer reports contribute instead.
fn source(source: &Source) -> String {
    let account = source.account.as_deref().unwrap_or("not known");
    let mut text = format!(
        "{}: {} of account {}",
        Plain(&source.file),
        Plain(&source.trigger),
        Plain(account)
    );
    if let Some(at) = source.finished_at {
        text += &at.strftime(", %Y-%m-%d %H:%M UTC").to_string();
    }
    if let Some(scope) = &source.scope {
        text += &format!(", policy {}", Plain(&scope.policy.requires));
    }
    if source.is_superseded() {
        text += "; newer reports replace it";
    } else if !source.superseded.is_empty() {
        let regions = Plain(&source.superseded.join(", ")).to_string();
        text += &format!("; newer reports replace {regions}");
    }
    text
}

/// What was not examined, and why.
pub(super) fn reasons(document: &Document) -> Vec<String> {
    let reason = |it: NotExamined| format!("{} ({})", it.what.words(), Plain(&it.reason));
    not_examined(document).into_iter().map(reason).collect()
}
