//! Undoes what a journal tells: every instance gets back exactly what it had.
//!
//! First a plan, for people to agree to; then the calls, through a journal of their own, so that the
//! rollback can be undone too.

mod apply;
mod decide;
mod ec2;
mod options;
mod outcome;
mod show;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::future::{join, join_all};
use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{HttpTokens, InstanceId, MetadataOptions};
use imds_core::plain::Plain;

use crate::journal::{InstanceChange, Journal};

pub(crate) use apply::apply;
pub(crate) use decide::{DefaultsVerdict, Seen, Verdict};
pub(crate) use ec2::Ec2;
pub(crate) use outcome::RolledBack;

/// What a rollback would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RollbackPlan {
    /// The account, 12 digits.
    pub(crate) account: String,
    /// The account's defaults, by region, in the order of the journal.
    pub(crate) defaults: Vec<DefaultsStep>,
    /// The instances, in the order of the journal.
    pub(crate) instances: Vec<Step>,
    /// What should be known before it is agreed to.
    pub(crate) notices: Vec<String>,
}

/// What is to be done about one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The instance's region.
    pub(crate) region: String,
    /// The instance.
    pub(crate) id: InstanceId,
    /// What it had, and is to have again.
    pub(crate) wanted: MetadataOptions,
    /// The instance as it is.
    pub(crate) seen: Seen,
    /// What is to be done.
    pub(crate) verdict: Verdict,
}

/// What is to be done about the account's defaults of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DefaultsStep {
    /// The region.
    pub(crate) region: String,
    /// What is to be done.
    pub(crate) verdict: DefaultsVerdict,
}

/// A rollback that is asked for wrongly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// Another account's instances would not be found, and look as if they had ended.
    #[error(
        "the journal is of account `{}`, and these credentials are of account `{}`; use a profile of the first",
        Plain(journal),
        Plain(caller)
    )]
    WrongAccount {
        /// The journal's.
        journal: String,
        /// The caller's.
        caller: String,
    },
    /// The filter names instances that the journal does not.
    #[error("`--instance` names what is not in the journal: {}", Plain(&.0.join(", ")))]
    NotInJournal(Vec<String>),
}

/// Looks at what the journal names, all regions side by side, and decides. With a filter only these
/// instances are restored, and no defaults.
pub(crate) async fn plan(
    client: &impl Ec2,
    caller: &str,
    journal: &Journal,
    filter: &BTreeSet<InstanceId>,
    force: bool,
) -> Result<RollbackPlan, PlanError> {
    let account = journal.header.account.clone();
    if account != caller {
        let caller = caller.to_owned();
        let journal = account;
        return Err(PlanError::WrongAccount { journal, caller });
    }
    let mut missing = filter.clone();
    for change in &journal.instances {
        missing.remove(&change.id);
    }
    if !missing.is_empty() {
        let missing = missing.into_iter().map(String::from);
        return Err(PlanError::NotInJournal(missing.collect()));
    }
    let chosen: Vec<&InstanceChange> = journal
        .instances
        .iter()
        .filter(|change| filter.is_empty() || filter.contains(&change.id))
        .collect();
    let of_defaults = if filter.is_empty() {
        journal.defaults.as_slice()
    } else {
        &[]
    };
    let mut regions = see(client, &chosen, of_defaults.iter().map(|d| &d.region)).await;

    let mut notices = journal.notices();
    let mut enforced = BTreeMap::new();
    for (region, seen) in &regions {
        match &seen.defaults {
            Some(Ok(defaults)) => {
                enforced.insert(region.clone(), defaults.enforces_tokens());
            }
            Some(Err(why)) => notices.push(format!(
                "whether tokens are enforced in {} could not be seen: {}",
                Plain(region),
                Plain(why)
            )),
            None => {}
        }
    }
    let mut defaults = Vec::new();
    for change in of_defaults {
        let seen = regions.get(&change.region);
        let seen = seen.and_then(|region| region.defaults.clone());
        let seen = seen.unwrap_or_else(|| Err("not looked at".to_owned()));
        let verdict = decide::decide_defaults(change, &seen, force);
        // Defaults are set back first.
        if let DefaultsVerdict::Restore { to, .. } = &verdict {
            enforced.insert(change.region.clone(), to.enforces_tokens());
        }
        let region = change.region.clone();
        defaults.push(DefaultsStep { region, verdict });
    }
    let instances = chosen.into_iter().map(|change| {
        let region = regions.get_mut(&change.region);
        let seen = region.and_then(|region| region.instances.remove(&change.id));
        let seen = seen.unwrap_or(Seen::Unknown);
        let enforced = enforced.get(&change.region).copied().unwrap_or_default();
        Step {
            region: change.region.clone(),
            id: change.id.clone(),
            wanted: change.before,
            verdict: decide::decide(change, &seen, enforced, force),
            seen,
        }
    });
    Ok(RollbackPlan {
        account,
        defaults,
        instances: instances.collect(),
        notices,
    })
}

/// A region as it is now.
#[derive(Debug, Default)]
struct Region {
    instances: HashMap<InstanceId, Seen>,
    /// `None`: nobody asked.
    defaults: Option<Result<MetadataDefaults, String>>,
}

async fn see<'a>(
    client: &impl Ec2,
    changes: &[&'a InstanceChange],
    of_defaults: impl Iterator<Item = &'a String>,
) -> BTreeMap<String, Region> {
    let mut asked: BTreeMap<&str, (Vec<InstanceId>, bool)> = BTreeMap::new();
    for change in changes {
        let (ids, defaults) = asked.entry(&change.region).or_default();
        ids.push(change.id.clone());
        *defaults |= change.before.http_tokens == Some(HttpTokens::Optional);
    }
    for region in of_defaults {
        asked.entry(region).or_default().1 = true;
    }
    let looks = asked
        .into_iter()
        .map(|(region, (ids, defaults))| async move {
            let defaults = async {
                if defaults {
                    let answer = client.metadata_defaults(region).await;
                    Some(answer.map_err(|refusal| refusal.why))
                } else {
                    None
                }
            };
            let (instances, defaults) = join(look(client, region, &ids), defaults).await;
            let seen = Region {
                instances,
                defaults,
            };
            (region.to_owned(), seen)
        });
    join_all(looks).await.into_iter().collect()
}

/// Every one of the instances, as it is seen or not.
async fn look(client: &impl Ec2, region: &str, ids: &[InstanceId]) -> HashMap<InstanceId, Seen> {
    if ids.is_empty() {
        return HashMap::new();
    }
    match client.look(region, ids).await {
        Ok(found) => {
            let known = found.instances.into_iter();
            let known = known.map(|instance| {
                let id = instance.id.clone();
                (id, Seen::Instance(Box::new(instance)))
            });
            let unknown = found.unknown.into_iter().map(|id| (id, Seen::Unknown));
            let unreadable = found.unreadable.into_iter().filter_map(|unreadable| {
                let why = unreadable.to_string();
                Some((unreadable.instance_id()?, Seen::Not(why)))
            });
            known.chain(unknown).chain(unreadable).collect()
        }
        Err(refusal) => ids
            .iter()
            .map(|id| (id.clone(), Seen::Not(refusal.why.clone())))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
