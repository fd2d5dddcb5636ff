//! The tags that are shown, and totals by their values: whose are the instances?

use std::cmp::Reverse;
use std::collections::BTreeMap;

use imds_core::count::thousands;
use imds_core::plain::Plain;
use imds_core::report::Outcome;
use imds_engine::ScannedInstance;

use super::grid::{Cell, Column};
use crate::document::Document;

/// The tags of an instance.
pub(crate) type Tags = BTreeMap<String, String>;

/// How many instances have a value of a tag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TagTotal {
    /// Safe to print.
    pub(super) value: String,
    /// Those of them that are not compliant, or use IMDSv1.
    pub(super) wrong: usize,
    pub(super) all: usize,
}

/// The column of a tag.
pub(crate) fn column<'a, T: 'a>(key: &'a str, tags: fn(&T) -> &Tags) -> Column<'a, T> {
    let cell = move |it: &T| Cell::text(tags(it).get(key).map(String::as_str));
    Column::flexible(Plain(key).to_string(), 8, cell).enough(16)
}

/// The totals by the values of a tag, most wrong ones first; instances without it are `(no tag)`. `read`
/// gives the tags, and whether the instance is wrong.
pub(crate) fn totals<'i, T: 'i>(
    key: &str,
    items: impl IntoIterator<Item = &'i T>,
    read: fn(&T) -> (&Tags, bool),
) -> Vec<TagTotal> {
    let mut totals: BTreeMap<Option<&str>, TagTotal> = BTreeMap::new();
    for item in items {
        let (tags, is_wrong) = read(item);
        let value = tags.get(key).map(String::as_str);
        let total = totals.entry(value).or_default();
        total.wrong += usize::from(is_wrong);
        total.all += 1;
    }
    let totals = totals.into_iter().map(|(value, total)| TagTotal {
        value: match value {
            None => "(no tag)".to_owned(),
            Some("") => "(empty)".to_owned(),
            Some(value) => Plain(value).to_string(),
        },
        ..total
    });
    let mut totals: Vec<TagTotal> = totals.collect();
    totals.sort_by_key(|total| (Reverse(total.wrong), Reverse(total.all)));
    totals
}

/// The columns of totals; `all` is the title of the number of all instances, where that is known.
pub(crate) fn columns<'a>(
    key: &str,
    wrong: &'static str,
    all: Option<&'static str>,
) -> Vec<Column<'a, TagTotal>> {
    let value = Column::flexible(Plain(key).to_string(), 12, |it: &TagTotal| {
        Cell::new(&it.value)
    });
    let wrong = Column::fixed(wrong, |it: &TagTotal| Cell::new(thousands(it.wrong))).right();
    let all =
        all.map(|title| Column::fixed(title, |it: &TagTotal| Cell::new(thousands(it.all))).right());
    [value, wrong].into_iter().chain(all).collect()
}

/// The totals of a tag that is shown.
pub(super) struct ShownTag<'a> {
    pub(super) key: &'a str,
    pub(super) totals: Vec<TagTotal>,
    pub(super) columns: Vec<Column<'a, TagTotal>>,
}

/// The totals of the instances, without terminated ones, for each tag that is shown.
pub(super) fn by_tag(document: &Document) -> Vec<ShownTag<'_>> {
    let counted: usize = Outcome::ALL.iter().map(|it| document.has(*it)).sum();
    let all = (document.instances.len() == counted).then_some("ALL");
    let exists =
        |it: &&ScannedInstance| !matches!(it.report.outcome, Outcome::Gone | Outcome::Terminated);
    let keys = document.scope.show_tags.iter();
    keys.map(|key| {
        let instances = document.instances.iter().filter(exists);
        ShownTag {
            key,
            totals: totals(key, instances, |it| (&it.tags, is_wrong(it))),
            columns: columns(key, "NON-COMPLIANT", all),
        }
    })
    .collect()
}

pub(super) fn tags_of(instance: &ScannedInstance) -> &Tags {
    &instance.tags
}

fn is_wrong(instance: &ScannedInstance) -> bool {
    match instance.report.outcome {
        Outcome::Reported | Outcome::Stopped | Outcome::Failed => true,
        Outcome::Compliant
        | Outcome::Exempt
        | Outcome::Enforced
        | Outcome::Terminated
        | Outcome::Gone => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_begin_with_the_most_wrong_ones_and_count_instances_without_the_tag() {
        let tags = |team: Option<&str>| -> Tags {
            let tags = team
                .into_iter()
                .map(|it| ("team".to_owned(), it.to_owned()));
            tags.collect()
        };
        let items = [
            (tags(Some("web")), false),
            (tags(Some("web")), true),
            (tags(None), true),
            (tags(Some("")), false),
            (tags(Some("db\u{1b}[31m")), true),
            (tags(Some("db\u{1b}[31m")), true),
        ];
        let totals = totals("team", &items, |it| (&it.0, it.1));
        let shown = totals
            .iter()
            .map(|it| (it.value.as_str(), it.wrong, it.all));
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                ("db\u{fffd}[31m", 2, 2),
                ("web", 1, 2),
                ("(no tag)", 1, 1),
                ("(empty)", 0, 1)
            ]
        );
    }
}
