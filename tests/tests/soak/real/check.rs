//! The instances of the soak, and whether each is as it must be at the end.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use imds_tests::{Disruption, FakeAws, FakeInstance, Options};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::kinds::{Expected, RealKind, kind};
use super::tell::Tell;
use super::{DISRUPTIONS, RealEvent};
use crate::support::{DAY, REGION, ahead, done, reason};

/// The longest after its first launch that an instance may be stopped or terminated.
const NEW: SignedDuration = SignedDuration::from_mins(15);

/// All instances and events.
#[derive(Default)]
pub(super) struct RealFleet {
    pub(super) events: Vec<RealEvent>,
    /// Instances whose owners disable the endpoint.
    pub(super) owned: Vec<String>,
    groups: Vec<RealGroup>,
}

struct RealGroup {
    ids: Vec<String>,
    tell: Tell,
    expected: Expected,
    before: Options,
}

impl RealFleet {
    /// One launch, and its events: some are lost, and some come twice.
    pub(super) fn launch(&mut self, ec2: &FakeAws, rng: &mut Rng, call: usize) {
        let RealKind {
            what,
            count,
            use_of,
            tell,
            expected,
            timeout,
        } = kind(rng);
        // Some are patterns that would find the instances of others.
        let token = match call % 5 {
            0 => format!("*{call}"),
            _ => format!("token-{call}"),
        };
        let ids = ec2.launch_many(what.client_token(&token), count);
        for id in &ids {
            use_of.tell(ec2, id);
        }
        if expected == Expected::ExemptByEntry {
            let until = ahead(DAY).to_string();
            // What cannot be read counts as one.
            let entry = [
                json!({ "until": until, "by": "ada" }),
                json!({ "until": 1 }),
            ];
            for (id, entry) in ids.iter().zip(entry.iter().cycle()) {
                ec2.put_item(&format!("exempt#{id}"), entry.clone());
            }
        }
        if expected == Expected::EndpointDisabled {
            self.owned.extend(ids.iter().cloned());
        }
        for (event, named) in tell.events(ec2, &token, &ids) {
            for _ in 0..[0, 1, 1, 1, 1, 1, 1, 1, 1, 2][rng.usize(0..10)] {
                self.events.push(RealEvent {
                    event: event.clone(),
                    ids: named.clone(),
                    timeout,
                    group: self.groups.len(),
                });
            }
        }
        self.groups.push(RealGroup {
            before: ec2.instance(&ids[0]).options,
            ids,
            tell,
            expected,
        });
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &String> {
        self.groups.iter().flat_map(|group| &group.ids)
    }

    /// A soak proves something only if everything is in it.
    pub(super) fn is_of_every_kind(&self) {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for RealGroup { tell, expected, .. } in &self.groups {
            for kind in [format!("{tell:?}"), format!("{expected:?}")] {
                *kinds.entry(kind).or_default() += 1;
            }
        }
        println!("launches, by what tells of them and what is expected: {kinds:?}");
        assert_eq!(kinds.len(), 14 + 12, "{kinds:?}");
        assert!(kinds.values().all(|count| *count >= 3), "{kinds:?}");
    }

    /// What a managing service denies is reported, with its name, and fails no sweep.
    pub(super) fn is_denied_once(&self, report: &Value) {
        let denied = self.groups.iter();
        let denied = denied.filter(|group| group.expected == Expected::Denied);
        for id in denied.flat_map(|group| &group.ids) {
            assert_eq!(done(report, id)[0], "reported");
            assert_eq!(done(report, id)[2], "managed");
            assert!(reason(report, id).contains("`eks.amazonaws.com`"));
        }
    }

    /// The ledger of the fake, and every instance.
    pub(super) fn check(&self, ec2: &FakeAws, answered: &BTreeSet<usize>) {
        let widening = ec2.widening_calls();
        assert!(widening.is_empty(), "{widening:#?}");
        let disruptions = ec2.disruptions();
        for disruption in &disruptions {
            let age = disruption.at.duration_since(disruption.oldest_attachment);
            assert!(age <= NEW, "{age:#}: {disruption:?}");
        }
        let most = 1..=DISRUPTIONS;
        assert!(most.contains(&disruptions.len()), "{}", disruptions.len());
        let terminated = |it: &&Disruption| it.action == "TerminateInstances";
        assert!(disruptions.iter().filter(terminated).count() > 0);
        let counted = ec2.item(&format!("limit#111122223333#{REGION}")).unwrap();
        let counted = counted["entries"].as_object().unwrap().len();
        assert_eq!(counted, DISRUPTIONS, "the limit is not reached");
        let mut named: BTreeMap<String, usize> = BTreeMap::new();
        let calls = ec2.changing_calls().into_iter();
        for call in calls.filter(|call| call.service == "ec2") {
            assert_eq!(call.param("HttpPutResponseHopLimit"), None, "{call:?}");
            call.params
                .values()
                .for_each(|value| *named.entry(value.clone()).or_default() += 1);
        }
        let mut faults = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            let is_told = answered.contains(&number);
            for id in &group.ids {
                let instance = ec2.instance(id);
                let changes = named.get(id).copied().unwrap_or_default();
                if !group.is_as_expected(&instance, changes, is_told) {
                    let expected = group.expected;
                    faults.push(format!("not {expected:?}, {changes} changes: {instance:?}"));
                }
            }
        }
        assert!(faults.is_empty(), "{}: {faults:#?}", faults.len());
        let opened = self.groups.iter();
        let opened = opened.filter(|group| group.expected == Expected::MostlyLeft);
        let opened: Vec<&String> = opened.flat_map(|group| &group.ids).collect();
        let left = opened.iter().filter(|id| !named.contains_key(**id)).count();
        assert!(4 * left >= 3 * opened.len(), "{left} of {}", opened.len());
    }
}

impl RealGroup {
    fn is_as_expected(&self, instance: &FakeInstance, changes: usize, is_told: bool) -> bool {
        let options = &instance.options;
        let runs = ["pending", "running"].contains(&instance.state.as_str());
        let is_ended = ["shutting-down", "terminated"].contains(&instance.state.as_str());
        let is_enforced = options.tokens == "required" && self.keeps_the_others(instance);
        match self.expected {
            Expected::Enforced => runs && is_enforced,
            Expected::Terminated => is_ended || runs && is_enforced,
            Expected::Disrupted => is_ended || is_enforced,
            Expected::EnforcedIfTold => runs && is_enforced || is_ended && !is_told,
            Expected::Stopped => !is_ended && is_enforced,
            Expected::Left | Expected::ExemptByEntry | Expected::Paused => {
                runs && changes == 0 && *options == self.before
            }
            Expected::Denied => runs && *options == self.before,
            Expected::EndpointDisabled => runs && options.endpoint == "disabled",
            Expected::EnforcedOrLeft | Expected::MostlyLeft => {
                runs && (is_enforced || *options == self.before)
            }
        }
    }

    /// Whether the options other than tokens are as they were, or as the rules say.
    fn keeps_the_others(&self, instance: &FakeInstance) -> bool {
        let FakeInstance { options, tags, .. } = instance;
        let refuses_tags = tags.keys().any(|key| key.contains('/'));
        let refuses_ipv6 = instance.instance_type.starts_with("m4.");
        let word = |is_enabled: bool| if is_enabled { "enabled" } else { "disabled" };
        options.endpoint == self.before.endpoint
            && options.hop_limit == self.before.hop_limit
            && options.metadata_tags == word(tags.contains_key("shows-tags") && !refuses_tags)
            && options.ipv6 == word(tags.contains_key("ipv6") && !refuses_ipv6)
    }
}
