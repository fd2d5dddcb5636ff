//! Sees instances that an event names, as far as EC2 knows them yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use imds_core::event::Launch;
use imds_core::instance::{Instance, InstanceId};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::ec2::{FILTER_VALUES, Filter};
use crate::error::CallError;
use crate::page::{Page, Unreadable};

/// What EC2 knows of the instances that were asked for.
#[derive(Debug)]
pub struct Found {
    /// The instances that it knows, in the order in which they were asked for.
    pub instances: Vec<Instance>,
    /// The ids that it does not know: not yet, or no more.
    pub unknown: Vec<InstanceId>,
    /// Those that it knows, in an answer that is not understood.
    pub unreadable: Vec<Unreadable>,
}

impl Client {
    /// Looks at instances by id, 200 with a call.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses.
    pub async fn look(&self, region: &str, ids: &[InstanceId]) -> Result<Found, CallError> {
        let once: BTreeSet<&str> = ids.iter().map(InstanceId::as_str).collect();
        let values: Vec<&str> = once.into_iter().collect();
        let (mut seen, mut unreadable) = (BTreeMap::new(), Vec::new());
        // One after another, for an answer takes half a megabyte and twice that while it is read.
        for values in values.chunks(FILTER_VALUES) {
            let filter = Filter {
                name: "instance-id",
                values: values.to_vec(),
            };
            let page = self.describe(region, &filter).await?;
            seen.extend(page.instances.into_iter().map(|i| (i.id.clone(), i)));
            unreadable.extend(page.unreadable);
        }
        let mut asked: BTreeSet<&str> = unreadable.iter().map(|it| it.id.as_str()).collect();
        let mut found = Found {
            instances: Vec::new(),
            unknown: Vec::new(),
            unreadable: Vec::new(),
        };
        for id in ids.iter().filter(|id| asked.insert(id.as_str())) {
            match seen.remove(id) {
                Some(instance) => found.instances.push(instance),
                None => found.unknown.push(id.clone()),
            }
        }
        found.unreadable = unreadable;
        Ok(found)
    }

    /// Looks for the instances of a launch whose ids were not recorded: by its client token, or
    /// without one by the minute of the launch, which may find those of others too.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses.
    pub async fn look_for_launched(&self, launch: &Launch) -> Result<Page, CallError> {
        let minutes = launch.origin.time.map(minutes_around).unwrap_or_default();
        let filter = match &launch.client_token {
            Some(token) => Filter {
                name: "client-token",
                values: vec![token],
            },
            None if minutes.is_empty() => return Ok(Page::default()),
            None => Filter {
                name: "launch-time",
                values: minutes.iter().map(String::as_str).collect(),
            },
        };
        let mut page = self.describe(&launch.origin.region, &filter).await?;
        if launch.client_token.is_some() {
            for instance in &mut page.instances {
                instance.principals.clone_from(&launch.origin.principals);
            }
        }
        Ok(page)
    }
}

/// Patterns of EC2's `launch-time` filter for the minute of the event and those beside it.
fn minutes_around(time: Timestamp) -> Vec<String> {
    let minutes = [-1, 0, 1].into_iter().filter_map(|minutes| {
        let time = time.checked_add(SignedDuration::from_mins(minutes)).ok()?;
        Some(time.strftime("%Y-%m-%dT%H:%M:*").to_string())
    });
    minutes.collect()
}

/// Waits between attempts, longer each time: 0.2 s to 5 s.
#[derive(Debug, Clone, Copy)]
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Backoff(Duration::from_millis(200))
    }
}

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(5);

    /// `false`, at once, when the wait would pass the deadline.
    pub async fn wait(&mut self, until: Instant) -> bool {
        let end = Instant::now() + self.0;
        if end >= until {
            return false;
        }
        sleep_until(end).await;
        self.0 = (self.0 * 2).min(Self::LONGEST);
        true
    }
}
