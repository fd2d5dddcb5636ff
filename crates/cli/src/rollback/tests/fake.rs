//! A small EC2 for rollbacks: it keeps what a call leaves out, or not, and fails as told.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use imds_aws::Found;
use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{HopLimit, HttpTokens, Instance, InstanceId, MetadataOptions, Toggle};

use super::super::ec2::{Ec2, Refusal};
use super::super::options::over;

#[derive(Debug, Default)]
pub(super) struct Fake(pub(super) RefCell<World>);

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    pub(super) defaults: BTreeMap<String, MetadataDefaults>,
    /// What a call leaves out is set to what launches get.
    pub(super) forgets: bool,
    /// Calls are answered, and nothing is changed.
    pub(super) lies: bool,
    /// Options stay pending for so many looks.
    pub(super) pending_for: usize,
    /// Regions that do not answer.
    pub(super) silent: BTreeSet<String>,
    /// Regions that do not tell their defaults.
    pub(super) secret: BTreeSet<String>,
    /// The next changes of these instances are refused so.
    pub(super) refusals: BTreeMap<InstanceId, VecDeque<Refusal>>,
    /// Every change that was asked for.
    pub(super) asked: Vec<(InstanceId, MetadataOptions)>,
    pub(super) looks: usize,
    in_flight: usize,
    pub(super) most_in_flight: usize,
}

pub(super) fn id(n: usize) -> InstanceId {
    InstanceId::try_from(format!("i-{n:017x}")).unwrap()
}

pub(super) fn refusal(why: &str, may_pass: bool) -> Refusal {
    let why = why.to_owned();
    Refusal { why, may_pass }
}

/// All options of an instance before it was enforced; no two are alike in all.
pub(super) fn before(n: usize) -> MetadataOptions {
    let toggle = |on| {
        Some(if on {
            Toggle::Enabled
        } else {
            Toggle::Disabled
        })
    };
    MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: toggle(true),
        hop_limit: HopLimit::try_from(i64::try_from(n % 64).unwrap() + 1).ok(),
        http_protocol_ipv6: toggle(n.is_multiple_of(2)),
        instance_metadata_tags: toggle(n.is_multiple_of(3)),
    }
}

pub(super) fn required() -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(HttpTokens::Required),
        ..Default::default()
    }
}

pub(super) const REGIONS: [&str; 3] = ["eu-central-1", "us-east-1", "us-west-2"];

impl Fake {
    /// Instances in three regions, as they were before.
    pub(super) fn with(instances: usize) -> Self {
        let fake = Fake::default();
        for n in 0..instances {
            let instance = Instance {
                options: before(n),
                applied: Some(true),
                ..Instance::unknown(id(n), REGIONS[n % REGIONS.len()])
            };
            fake.0.borrow_mut().instances.insert(id(n), instance);
        }
        fake
    }

    pub(super) fn instance(&self, n: usize) -> Instance {
        self.0.borrow().instances[&id(n)].clone()
    }

    pub(super) fn change(&self, n: usize, change: impl FnOnce(&mut Instance)) {
        change(self.0.borrow_mut().instances.get_mut(&id(n)).unwrap());
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.0.borrow_mut());
    }

    #[track_caller]
    pub(super) fn all_are_as_before(&self) {
        for (n, instance) in self.0.borrow().instances.values().enumerate() {
            assert_eq!(instance.options, before(n), "{}", instance.id);
        }
    }
}

impl Ec2 for Fake {
    async fn look(&self, region: &str, ids: &[InstanceId]) -> Result<Found, Refusal> {
        let world = &mut *self.0.borrow_mut();
        world.looks += 1;
        if world.silent.contains(region) {
            return Err(refusal("no\nanswer", true));
        }
        let mut found = Found {
            instances: Vec::new(),
            unknown: Vec::new(),
            unreadable: Vec::new(),
        };
        for id in ids {
            match world.instances.get(id).filter(|i| i.region == region) {
                Some(instance) => found.instances.push(instance.clone()),
                None => found.unknown.push(id.clone()),
            }
        }
        if world.pending_for > 0 {
            world.pending_for -= 1;
        } else {
            for instance in world.instances.values_mut() {
                instance.applied = Some(true);
            }
        }
        Ok(found)
    }

    async fn set_options(
        &self,
        instance: &Instance,
        send: &MetadataOptions,
    ) -> Result<MetadataOptions, Refusal> {
        self.set(|world| {
            world.in_flight += 1;
            world.most_in_flight = world.most_in_flight.max(world.in_flight);
        });
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let world = &mut *self.0.borrow_mut();
        world.in_flight -= 1;
        world.asked.push((instance.id.clone(), *send));
        let refusals = world.refusals.get_mut(&instance.id);
        if let Some(refusal) = refusals.and_then(VecDeque::pop_front) {
            return Err(refusal);
        }
        let (forgets, lies) = (world.forgets, world.lies);
        let has = world.instances.get_mut(&instance.id).unwrap();
        let kept = if forgets { before(1) } else { has.options };
        let after = over(&kept, send);
        if !lies {
            has.options = after;
            has.applied = Some(false);
        }
        Ok(after)
    }

    async fn metadata_defaults(&self, region: &str) -> Result<MetadataDefaults, Refusal> {
        let world = self.0.borrow();
        if world.secret.contains(region) {
            return Err(refusal("UnauthorizedOperation", false));
        }
        let managed_by = Some("account".to_owned());
        let defaults = world.defaults.get(region).cloned().unwrap_or_default();
        Ok(MetadataDefaults {
            managed_by,
            ..defaults
        })
    }

    async fn set_metadata_defaults(
        &self,
        region: &str,
        _: &MetadataDefaults,
        to: &MetadataDefaults,
    ) -> Result<(), Refusal> {
        let to = to.clone();
        self.set(|world| drop(world.defaults.insert(region.to_owned(), to)));
        Ok(())
    }
}
