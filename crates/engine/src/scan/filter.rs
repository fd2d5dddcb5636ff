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
    /// These ids alone, each in its region; `None`: all.
    pub ids_by_region: Option<BTreeMap<String, Vec<InstanceId>>>,
    /// Keys with values; all keys must match, and any of the values of a key. `*` and `?` are wildcards.
    pub tags: Vec<(String, String)>,
    /// These states.
    pub states: Vec<State>,
}

impl InstanceFilter {
    /// Whether all instances are scanned.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
            && self.ids_by_region.is_none()
            && self.tags.is_empty()
            && self.states.is_empty()
    }

    /// The filters of one search of a region, or of one for every 200 ids.
    pub(crate) fn searches(&self, region: &str) -> Vec<Vec<Filter<'_>>> {
        let here = self.ids_by_region.as_ref();
        let here = here.map(|regions| regions.get(region).map_or(&[][..], Vec::as_slice));
        let ids = here.unwrap_or(&self.ids).iter();
        let ids: Vec<&str> = ids.map(InstanceId::as_str).collect();
        if ids.is_empty() && here.is_none() {
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
        if self.ids.is_empty() && self.ids_by_region.is_none() {
            return Vec::new();
        }
        let unreadable = page.unreadable.iter().filter_map(|it| it.instance_id());
        let instances = page.instances.iter().map(|it| it.id.clone());
        instances.chain(unreadable).collect()
    }

    /// Those of the ids that were not found.
    pub(crate) fn missing(&self, found: &BTreeSet<InstanceId>) -> Vec<Unreachable> {
        let missing = self.ids.iter().filter(|id| !found.contains(*id));
        let missing = missing
            .map(|id| Unreachable::fatal("all", format!("{id} is in none of these regions")));
        let by_region = self.ids_by_region.iter().flatten();
        let by_region = by_region.flat_map(|(region, ids)| ids.iter().map(move |id| (region, id)));
        let unknown = by_region.filter(|(_, id)| !found.contains(*id));
        let unknown = unknown
            .map(|(region, id)| Unreachable::fatal(region, format!("EC2 does not know {id}")));
        missing.chain(unknown).collect()
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
            ids_by_region: None,
            tags: vec![
                ("app".to_owned(), "web".to_owned()),
                ("app".to_owned(), "api".to_owned()),
            ],
            states: vec![State::Running],
        };
        let shape: Vec<Vec<(String, usize)>> = filter
            .searches("eu-central-1")
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
            filter
                .searches("eu-central-1")
                .iter()
                .map(Vec::len)
                .collect::<Vec<_>>(),
            [0]
        );
    }

    #[test]
    fn ids_by_region_are_searched_in_their_region_alone() {
        let id = InstanceId::try_from("i-00000001").unwrap();
        let regions = BTreeMap::from([("eu-central-1".to_owned(), vec![id.clone()])]);
        let filter = InstanceFilter {
            ids_by_region: Some(regions),
            ..InstanceFilter::default()
        };
        assert_eq!(filter.searches("eu-central-1").len(), 1);
        assert!(filter.searches("us-east-1").is_empty());
        let missing = filter.missing(&BTreeSet::new());
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].region, "eu-central-1");
        assert!(filter.missing(&BTreeSet::from([id])).is_empty());
        let none = InstanceFilter {
            ids_by_region: Some(BTreeMap::new()),
            ..InstanceFilter::default()
        };
        assert!(none.searches("eu-central-1").is_empty());
    }
}
