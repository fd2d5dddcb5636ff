//! Which instances are scanned.

use std::collections::{BTreeMap, BTreeSet};

use imds_aws::{DescribedPage, FILTER_VALUES, Filter};
use imds_core::instance::{InstanceId, State};
use imds_core::report::Unreachable;

/// Instances by id, tag and state; without any, all.
#[derive(Debug, Clone, Default)]
pub struct InstanceFilter {
    /// These ids.
    pub ids: Vec<InstanceId>,
    /// Keys with values; all keys must match, and any of the values of a key. `*` and `?` are wildcards.
    pub tags: Vec<(String, String)>,
    /// These states.
    pub states: Vec<State>,
}

impl InstanceFilter {
    /// Whether all instances are scanned.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.tags.is_empty() && self.states.is_empty()
    }

    /// The filters of one search, or of one for every 200 ids.
    pub(crate) fn searches(&self) -> Vec<Vec<Filter<'_>>> {
        let ids: Vec<&str> = self.ids.iter().map(InstanceId::as_str).collect();
        if ids.is_empty() {
            return vec![self.other_filters()];
        }
        let chunks = ids.chunks(FILTER_VALUES);
        chunks
            .map(|ids| {
                let mut filters = self.other_filters();
                filters.push(Filter::by_ids(ids));
                filters
            })
            .collect()
    }

    fn other_filters(&self) -> Vec<Filter<'_>> {
        let mut filters = Vec::new();
        if !self.states.is_empty() {
            filters.push(Filter {
                name: "instance-state-name".into(),
                values: self.states.iter().map(|state| state.as_str()).collect(),
            });
        }
        let mut by_key: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, value) in &self.tags {
            by_key.entry(key).or_default().push(value);
        }
        filters.extend(by_key.into_iter().map(|(key, values)| Filter {
            name: format!("tag:{key}").into(),
            values,
        }));
        filters
    }

    /// Those of the ids that are on a page.
    pub(crate) fn found(&self, page: &DescribedPage) -> Vec<InstanceId> {
        if self.ids.is_empty() {
            return Vec::new();
        }
        let unreadable = page.unreadable.iter().filter_map(|it| it.instance_id());
        let instances = page.instances.iter().map(|it| it.id.clone());
        instances.chain(unreadable).collect()
    }

    /// Those of the ids that were not found.
    pub(crate) fn missing(&self, found: &BTreeSet<InstanceId>) -> Vec<Unreachable> {
        let missing = self.ids.iter().filter(|id| !found.contains(*id));
        missing
            .map(|id| Unreachable::fatal("all", format!("{id} is in none of these regions")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_search_by_id_has_the_other_filters_too() {
        let id = |n: usize| InstanceId::try_from(format!("i-{n:017x}")).unwrap();
        let filter = InstanceFilter {
            ids: (0..201).map(id).collect(),
            tags: vec![
                ("app".to_owned(), "web".to_owned()),
                ("app".to_owned(), "api".to_owned()),
            ],
            states: vec![State::Running],
        };
        let shape: Vec<Vec<(String, usize)>> = filter
            .searches()
            .iter()
            .map(|filters| {
                filters
                    .iter()
                    .map(|f| (f.name.to_string(), f.values.len()))
                    .collect()
            })
            .collect();
        let search = |ids| {
            [
                ("instance-state-name", 1),
                ("tag:app", 2),
                ("instance-id", ids),
            ]
            .map(|(name, values)| (name.to_owned(), values))
            .to_vec()
        };
        assert_eq!(shape, [search(200), search(1)]);
    }

    #[test]
    fn without_any_filter_there_is_one_search_for_all() {
        let filter = InstanceFilter::default();
        assert_eq!(
            filter.searches().iter().map(Vec::len).collect::<Vec<_>>(),
            [0]
        );
    }
}
