//! Which instances EC2 is asked for.

use std::collections::BTreeMap;

use imds_aws::Filter;
use imds_core::instance::InstanceId;

use crate::args::Instances;

/// Values of a filter.
const FILTER_VALUES: usize = 200;

/// What finds the instances that were asked for.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    values: BTreeMap<String, Vec<&'a str>>,
    ids: &'a [InstanceId],
}

impl<'a> Search<'a> {
    pub(crate) fn of(wanted: &'a Instances) -> Self {
        let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (key, value) in &wanted.tags {
            values.entry(format!("tag:{key}")).or_default().push(value);
        }
        if !wanted.states.is_empty() {
            let states = wanted.states.iter().map(|state| state.as_str());
            values.insert("instance-state-name".to_owned(), states.collect());
        }
        Search {
            values,
            ids: &wanted.ids,
        }
    }

    /// The filters of one search, or of one for every 200 ids.
    pub(crate) fn filters(&self) -> Vec<Vec<Filter<'_>>> {
        let with = |ids: &'a [InstanceId]| {
            let values = self.values.iter().map(|(name, values)| Filter {
                name,
                values: values.clone(),
            });
            let ids = (!ids.is_empty()).then(|| Filter {
                name: "instance-id",
                values: ids.iter().map(InstanceId::as_str).collect(),
            });
            values.chain(ids).collect()
        };
        if self.ids.is_empty() {
            return vec![with(&[])];
        }
        self.ids.chunks(FILTER_VALUES).map(with).collect()
    }
}

#[cfg(test)]
mod tests {
    use imds_core::instance::State;

    use super::*;

    #[test]
    fn every_search_by_id_carries_the_other_filters_too() {
        let id = |n: usize| InstanceId::try_from(format!("i-{n:017x}")).unwrap();
        let wanted = Instances {
            ids: (0..201).map(id).collect(),
            tags: vec![
                ("app".to_owned(), "web".to_owned()),
                ("app".to_owned(), "api".to_owned()),
            ],
            states: vec![State::Running],
        };
        let search = Search::of(&wanted);
        let shape: Vec<Vec<(&str, usize)>> = search
            .filters()
            .iter()
            .map(|filters| filters.iter().map(|f| (f.name, f.values.len())).collect())
            .collect();
        let of = |ids| {
            vec![
                ("instance-state-name", 1),
                ("tag:app", 2),
                ("instance-id", ids),
            ]
        };
        assert_eq!(shape, [of(200), of(1)]);
    }

    #[test]
    fn without_any_wish_there_is_one_search_without_filters() {
        let wanted = Instances::default();
        let filters = Search::of(&wanted)
            .filters()
            .iter()
            .map(Vec::len)
            .sum::<usize>();
        assert_eq!((Search::of(&wanted).filters().len(), filters), (1, 0));
    }
}
