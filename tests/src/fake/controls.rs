//! How a fake behaves, and the faults that it makes.

use std::time::Duration;

use jiff::SignedDuration;

use super::bucket::Rate;
use super::instance_xml::write_described;
use super::xml::Xml;
use super::{Defaults, FakeAws, InjectedFault, LastPage, Settle};

/// How it behaves.
impl FakeAws {
    /// The account's 12 digits; the default is `111122223333`.
    pub fn set_account(&self, account: &str) {
        account.clone_into(&mut self.shared.lock().account);
    }

    /// The regions that are opted in; the default is [`REGIONS`](super::REGIONS). Every other region is
    /// opted out, and keeps its instances.
    pub fn set_regions(&self, regions: &[&str]) {
        let mut fake = self.shared.lock();
        for region in fake.regions.values_mut() {
            region
                .opted_out
                .get_or_insert_with(|| "AuthFailure".to_owned());
        }
        for name in regions {
            fake.region(name).opted_out = None;
        }
    }

    /// Opts a region out: it answers with this code, `AuthFailure` or `OptInRequired`.
    pub fn opt_out(&self, region: &str, code: &str) {
        self.shared.lock().region(region).opted_out = Some(code.to_owned());
    }

    /// Turns `HttpTokensEnforced` on.
    pub fn enforce_tokens(&self, region: &str) {
        self.shared.lock().region(region).defaults.tokens_enforced = Some("enabled".to_owned());
    }

    /// Sets the account's defaults for metadata options.
    pub fn set_defaults(&self, region: &str, defaults: Defaults) {
        self.shared.lock().region(region).defaults = defaults;
    }

    /// Rejects `HttpTokens` or a hop limit without `HttpEndpoint=enabled`, as the API once did.
    pub fn demand_endpoint(&self) {
        self.shared.lock().settings.demands_endpoint = true;
    }

    /// Options that a change does not name get the values of a launch that names none, from now on.
    pub fn forget_options_left_out(&self) {
        self.shared.lock().settings.forgets_options = true;
    }

    /// Answers changes of this instance's options, and does not make them.
    pub fn discard_changes(&self, id: &str) {
        self.shared.lock().machine(id).discards_changes = true;
    }

    /// Rejects `InstanceMetadataTags` with `UnsupportedOperation`, as some partitions do.
    pub fn refuse_metadata_tags(&self, region: &str) {
        self.shared.lock().region(region).refuses_metadata_tags = true;
    }

    /// Rejects `IncludeManagedResources` with `UnknownParameter`, as an endpoint does that is older than
    /// this parameter. Such an endpoint does not hide managed instances.
    pub fn refuse_include_managed_resources(&self, region: &str) {
        let mut fake = self.shared.lock();
        fake.region(region).knows_no_managed_resources = true;
    }

    /// Replaces a terminated instance of an Auto Scaling group by one just like it.
    pub fn replace_in_groups(&self) {
        self.shared.lock().settings.replaces_in_groups = true;
    }

    /// When changed options turn from `pending` to `applied`; the default is after one describe.
    pub fn set_applied(&self, settle: Settle) {
        self.shared.lock().settings.applied = settle;
    }

    /// When an instance completes a change of state; the default is after one describe.
    pub fn set_transitions(&self, settle: Settle) {
        self.shared.lock().settings.transitions = settle;
    }

    /// When DescribeInstances begins to show what RunInstances launches; the default is immediately.
    pub fn set_launches_visible(&self, settle: Settle) {
        self.shared.lock().settings.launches_visible = settle;
    }

    /// The most items on a page, whatever `MaxResults` says; the default is 1000.
    pub fn set_page_size(&self, most: usize) {
        self.shared.lock().settings.page_size = most.max(1);
    }

    /// What the last page carries; the default is [`LastPage::Alternate`].
    pub fn set_last_page(&self, last: LastPage) {
        self.shared.lock().settings.last_page = last;
    }

    /// The most datapoints in an answer of GetMetricData; the default is 100,800.
    pub fn set_metric_page(&self, datapoints: usize) {
        self.shared.lock().metrics.page = datapoints.max(1);
    }

    /// The `StatusCode` of an instance's metric on the last page of GetMetricData: `Complete`,
    /// `PartialData` with the later half of the datapoints, `InternalError`, or `Forbidden` without any.
    ///
    /// # Panics
    /// On any other code.
    pub fn set_status_code(&self, id: &str, metric: &str, code: &str) {
        let mut fake = self.shared.lock();
        let series = fake.series(id, metric);
        fake.metrics.set_status(series, code);
    }
}

/// Latency, throttling and faults.
impl FakeAws {
    /// Delays every call.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.lock().latency = latency;
    }

    /// Shifts the time in the header `Date` of every answer, and nothing else; negative is behind.
    pub fn set_clock_skew(&self, ahead: SignedDuration) {
        self.shared.lock().clock_skew = ahead;
    }

    /// Throttles with EC2's own token buckets, refilled `time_factor` times as fast.
    pub fn with_real_rates(&self, time_factor: f64) {
        self.shared.lock().buckets.real(time_factor);
    }

    /// Throttles one action with a token bucket in every region.
    pub fn set_rate(&self, action: &str, burst: f64, per_second: f64) {
        self.shared
            .lock()
            .buckets
            .choose(action, Rate { burst, per_second });
    }

    /// Adds a fault; faults are tried in the order in which they were added.
    pub fn fault(&self, fault: InjectedFault) {
        self.shared.lock().faults.push(fault);
    }

    /// Replaces `what` by `into` in this instance's XML in every answer of DescribeInstances, such as
    /// `<httpTokens>optional<` by `<httpTokens>perhaps<`.
    ///
    /// # Panics
    /// On an unknown id, and where its XML has no such text.
    pub fn garble(&self, id: &str, what: &str, into: &str) {
        let mut fake = self.shared.lock();
        let account = fake.account.clone();
        let machine = fake.machine(id);
        let mut shown = Xml::default();
        write_described(&mut shown, machine, &account);
        assert!(shown.contains(what), "the XML of `{id}` has no `{what}`");
        machine.garbled.push((what.to_owned(), into.to_owned()));
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }
}
