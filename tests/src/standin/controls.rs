//! How a stand-in behaves, and the hardship that it makes.

use std::time::Duration;

use super::bucket::Rate;
use super::instance_xml::write_described;
use super::xml::Xml;
use super::{Defaults, Fault, LastPage, Settle, Standin};

/// How it behaves.
impl Standin {
    /// Twelve digits; `111122223333` at first.
    pub fn set_account(&self, account: &str) {
        account.clone_into(&mut self.shared.world().account);
    }

    /// The regions that are opted in; at first the 17 that every account has.
    /// Those left out are opted out; instances launched before are kept.
    pub fn set_regions(&self, regions: &[&str]) {
        let mut world = self.shared.world();
        for region in world.regions.values_mut() {
            region
                .opted_out
                .get_or_insert_with(|| "AuthFailure".to_owned());
        }
        for name in regions {
            world.region(name).opted_out = None;
        }
    }

    /// The region answers with this code: `AuthFailure` or `OptInRequired`.
    pub fn opt_out(&self, region: &str, code: &str) {
        self.shared.world().region(region).opted_out = Some(code.to_owned());
    }

    /// `HttpTokensEnforced` is on.
    pub fn enforce_tokens(&self, region: &str) {
        self.shared.world().region(region).defaults.tokens_enforced = Some("enabled".to_owned());
    }

    /// The account's defaults for metadata options.
    pub fn set_defaults(&self, region: &str, defaults: Defaults) {
        self.shared.world().region(region).defaults = defaults;
    }

    /// As the API was: `HttpTokens` or a hop limit without `HttpEndpoint=enabled` is refused.
    pub fn demand_endpoint(&self) {
        self.shared.world().settings.demands_endpoint = true;
    }

    /// `InstanceMetadataTags` is `UnsupportedOperation`, as in some partitions.
    pub fn refuse_metadata_tags(&self, region: &str) {
        self.shared.world().region(region).refuses_metadata_tags = true;
    }

    /// A terminated instance of an Auto Scaling group is replaced by one just like it.
    pub fn replace_in_groups(&self) {
        self.shared.world().settings.replaces_in_groups = true;
    }

    /// When changed options turn from `pending` to `applied`; at first after one describe.
    pub fn set_applied(&self, settle: Settle) {
        self.shared.world().settings.applied = settle;
    }

    /// When an instance on its way to another state gets there; at first after one describe.
    pub fn set_transitions(&self, settle: Settle) {
        self.shared.world().settings.transitions = settle;
    }

    /// How much a page holds at most, whatever MaxResults says; 1000 at first.
    pub fn set_page_size(&self, most: usize) {
        self.shared.world().settings.page_size = most.max(1);
    }

    /// What the last page carries; an empty token and none by turns at first.
    pub fn set_last_page(&self, last: LastPage) {
        self.shared.world().settings.last_page = last;
    }

    /// How many datapoints an answer of GetMetricData holds at most; 100,800 at first.
    pub fn set_metric_page(&self, datapoints: usize) {
        self.shared.world().metrics.page = datapoints.max(1);
    }
}

/// Hardship.
impl Standin {
    /// Every call takes so long.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.world().latency = latency;
    }

    /// EC2's own token buckets, refilled `time_factor` times as fast.
    pub fn with_real_rates(&self, time_factor: f64) {
        self.shared.world().buckets.real(time_factor);
    }

    /// A token bucket of one action, in every region.
    pub fn set_rate(&self, action: &str, burst: f64, per_second: f64) {
        self.shared
            .world()
            .buckets
            .choose(action, Rate { burst, per_second });
    }

    /// Adds a fault; those added first are tried first.
    pub fn fault(&self, fault: Fault) {
        self.shared.world().faults.push(fault);
    }

    /// In every answer of DescribeInstances, in this instance's XML alone, `what` is replaced by `into`:
    /// `<httpTokens>optional<` by `<httpTokens>perhaps<`.
    ///
    /// # Panics
    /// On an unknown id, and where its XML has no such text.
    pub fn garble(&self, id: &str, what: &str, into: &str) {
        let mut world = self.shared.world();
        let account = world.account.clone();
        let machine = world.machine(id);
        let mut shown = Xml::default();
        write_described(&mut shown, machine, &account);
        assert!(shown.contains(what), "the XML of `{id}` has no `{what}`");
        machine.garbled.push((what.to_owned(), into.to_owned()));
    }

    /// All is well again.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }
}
