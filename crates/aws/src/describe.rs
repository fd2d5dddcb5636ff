//! Describes instances by id, or by the launch that an event records.

use std::collections::{BTreeMap, BTreeSet};

use imds_core::event::Launch;
use imds_core::instance::{Instance, InstanceId};
use jiff::{SignedDuration, Timestamp};

use crate::client::Client;
use crate::ec2::{FILTER_VALUES, Filter};
use crate::error::CallError;
use crate::page::{DescribedPage, UnreadableInstance};

/// What EC2 knows about the requested instances.
#[derive(Debug)]
pub struct DescribedIds {
    /// The instances that EC2 knows, in the order of the ids.
    pub instances: Vec<Instance>,
    /// The ids that EC2 does not know yet, or no longer knows.
    pub unknown: Vec<InstanceId>,
    /// The instances that EC2 knows but whose descriptions could not be read.
    pub unreadable: Vec<UnreadableInstance>,
}

impl Client {
    /// Describes instances by id, 200 per call.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn describe_by_id(
        &self,
        region: &str,
        ids: &[InstanceId],
    ) -> Result<DescribedIds, CallError> {
        let once: BTreeSet<&str> = ids.iter().map(InstanceId::as_str).collect();
        let values: Vec<&str> = once.into_iter().collect();
        let (mut known, mut unreadable) = (BTreeMap::new(), Vec::new());
        // One call after another: a response takes 0.5 MB, and twice that while it is parsed.
        for values in values.chunks(FILTER_VALUES) {
            let page = self.describe(region, &Filter::by_ids(values)).await?;
            known.extend(page.instances.into_iter().map(|i| (i.id.clone(), i)));
            unreadable.extend(page.unreadable);
        }
        let mut asked: BTreeSet<&str> = unreadable.iter().map(|it| it.id.as_str()).collect();
        let mut described = DescribedIds {
            instances: Vec::new(),
            unknown: Vec::new(),
            unreadable: Vec::new(),
        };
        for id in ids.iter().filter(|id| asked.insert(id.as_str())) {
            match known.remove(id) {
                Some(instance) => described.instances.push(instance),
                None => described.unknown.push(id.clone()),
            }
        }
        described.unreadable = unreadable;
        Ok(described)
    }

    /// Finds instances that may be of a launch whose ids are not in the CloudTrail record: by its client
    /// token or, without one, by the minutes around it. [`Launch::may_include`] says which of them are.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn describe_launched(&self, launch: &Launch) -> Result<DescribedPage, CallError> {
        let minutes = launch.origin.time.map(minutes_around).unwrap_or_default();
        let token = launch.client_token_filter();
        let filter = match &token {
            Some(token) => Filter {
                name: "client-token".into(),
                values: vec![token],
            },
            None if minutes.is_empty() => return Ok(DescribedPage::default()),
            None => Filter {
                name: "launch-time".into(),
                values: minutes.iter().map(String::as_str).collect(),
            },
        };
        self.describe(&launch.origin.region, &filter).await
    }
}

/// Patterns of EC2's `launch-time` filter for the minutes around an event, as
/// [`Launch::may_include`] needs them.
fn minutes_around(time: Timestamp) -> Vec<String> {
    let minutes = [-1, 0, 1, 2].into_iter().filter_map(|minutes| {
        let time = time.checked_add(SignedDuration::from_mins(minutes)).ok()?;
        Some(time.strftime("%Y-%m-%dT%H:%M:*").to_string())
    });
    minutes.collect()
}
