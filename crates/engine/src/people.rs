//! What people write into the state table: the command writes it, and holds to it as the function does.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use imds_aws::{CallError, Client, Condition, StateTable};
use imds_core::decide::BecauseWord;
use imds_core::instance::InstanceId;
use imds_core::policy::Action;
use imds_core::report::Outcome;
use imds_core::state::{Entry, EntryKind, Exemption, Key, Pause};
use jiff::{SignedDuration, Timestamp};

use crate::scan::{ScanDecision, ScannedInstance, UnneededExemption};
use crate::state::later;

/// DynamoDB may delete an item that long after its end; until then it shows what was.
const OUTLIVES: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Writes in flight.
const WRITES_AT_ONCE: usize = 8;

/// The exemptions and pauses that hold for the instances of a scan.
#[derive(Debug, Default)]
pub struct HeldEntries {
    /// By instance.
    pub exemptions: BTreeMap<InstanceId, Exemption>,
    /// Of the account (`None`) or its regions.
    pub pauses: BTreeMap<Option<String>, Pause>,
}

impl HeldEntries {
    /// Reads what holds for the non-compliant instances of an account.
    ///
    /// # Errors
    /// If the table cannot be read: an exemption may hold.
    pub async fn read(
        client: &Client,
        table: &StateTable,
        account: &str,
        instances: &[ScannedInstance],
        now: Timestamp,
    ) -> Result<Self, CallError> {
        let open = instances.iter().filter(|it| it.is_non_compliant());
        let open: Vec<_> = open.map(|it| &it.report).collect();
        let regions: BTreeSet<&str> = open.iter().map(|it| it.region.as_str()).collect();
        let regions = regions.into_iter().map(|it| Some(it.to_owned()));
        let pauses = [None].into_iter().chain(regions).map(|region| {
            let key = Key::pause(account, region.as_deref());
            (region, key)
        });
        let pauses: Vec<_> = pauses.collect();
        if open.is_empty() {
            return Ok(HeldEntries::default());
        }
        let keys = open.iter().map(|it| Key::exemption(&it.instance_id));
        let keys: BTreeSet<Key> = keys
            .chain(pauses.iter().map(|(_, key)| key.clone()))
            .collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let items = client.get_items(table, &keys).await?;
        let exemptions = open.iter().filter_map(|it| {
            let key = Key::exemption(&it.instance_id);
            let exemption = Exemption::read(&key, items.get(&key)?, now)?;
            Some((it.instance_id.clone(), exemption))
        });
        let pauses = pauses.into_iter().filter_map(|(region, key)| {
            let pause = Pause::read(&key, items.get(&key)?, now)?;
            Some((region, pause))
        });
        Ok(HeldEntries {
            exemptions: exemptions.collect(),
            pauses: pauses.collect(),
        })
    }

    /// The exemptions of instances that do not need them.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn unneeded(
        &self,
        client: &Client,
        table: &StateTable,
        now: Timestamp,
    ) -> Result<Vec<UnneededExemption>, CallError> {
        let entries = client.entries(table, EntryKind::Exemption).await?;
        let unneeded = entries.iter().filter_map(|(key, item)| {
            let id = InstanceId::try_from(key.exempt_instance()?).ok()?;
            let exemption = Exemption::read(key, item, now)?;
            let is_needed = self.exemptions.contains_key(&id);
            (!is_needed).then(|| UnneededExemption::entry(id, exemption))
        });
        Ok(unneeded.collect())
    }

    /// What the command does about an instance by them: an exemption counts before a pause, and the account's
    /// before a region's.
    pub fn apply(&self, instance: &mut ScannedInstance) {
        if !instance.is_non_compliant() {
            return;
        }
        if let Some(exemption) = self.exemptions.get(&instance.report.instance_id) {
            instance.exempt(exemption);
        } else if let Some(pause) = self.pause(&instance.report.region) {
            instance.pause(pause);
        }
    }

    fn pause(&self, region: &str) -> Option<&Pause> {
        let of_region = || self.pauses.get(&Some(region.to_owned()));
        self.pauses.get(&None).or_else(of_region)
    }
}

impl ScannedInstance {
    fn exempt(&mut self, exemption: &Exemption) {
        self.decision = ScanDecision::Exempt;
        let report = &mut self.report;
        report.outcome = Outcome::Exempt;
        report.rule = None;
        report.violations.clear();
        (report.instead_of, report.because) = (None, None);
        report.reason = exemption.to_string();
    }

    fn pause(&mut self, pause: &Pause) {
        if self.decision == ScanDecision::Enforce {
            self.decision = ScanDecision::Report;
            let report = &mut self.report;
            report.instead_of = Some(Action::Enforce);
            report.because = Some(BecauseWord::Paused);
            report.reason.push_str(&format!("; {pause}"));
        }
    }
}

/// Writes the same entry under each key, and reads it back. The results are in the order of the keys.
pub async fn write_entries(
    client: &Client,
    table: &StateTable,
    keys: &[Key],
    entry: &Entry,
) -> Vec<Result<(), String>> {
    let (item, expires_at) = (&entry.item(), later(entry.until, OUTLIVES));
    let writes = keys.iter().map(|key| async move {
        let condition = Condition::Always;
        let write = client.update_item(table, key, item, expires_at, condition);
        write.await.map(drop).map_err(|error| error.cause())
    });
    let written: Vec<_> = stream::iter(writes)
        .buffered(WRITES_AT_ONCE)
        .collect()
        .await;
    let found = client.get_items(table, keys).await;
    let found = found.map_err(|error| format!("written, but not read back: {}", error.cause()));
    let check = |(key, written): (&Key, Result<(), String>)| {
        written?;
        let item = found.as_ref().map_err(Clone::clone)?.get(key);
        match item.map(|item| Entry::read(key, item)) {
            Some(Ok(read)) if read == *entry => Ok(()),
            _ => Err("written, but the table holds something else".to_owned()),
        }
    };
    keys.iter().zip(written).map(check).collect()
}
