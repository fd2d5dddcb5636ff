//! Makes the calls of a rollback, and looks whether they hold.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use imds_aws::{Backoff, Witness};
use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{Instance, InstanceId, MetadataOptions, State, Toggle};
use imds_core::plain::Plain;
use tokio::time::Instant;

use super::decide::{DefaultsVerdict, Seen, Verdict, alike, differences, instead};
use super::ec2::{Ec2, Refusal};
use super::options::{CALLS, differing, has, over, to_send, words};
use super::outcome::{Outcome, Restored, RestoredDefaults, RolledBack};
use super::{DefaultsStep, RollbackPlan, Step, look};
use crate::journal::Writer;

/// Instances that are restored at once.
const AT_ONCE: usize = 16;

/// How long a refusal that may pass is borne, and how long EC2 is given to show what it answered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Restores what the plan says, each with one outcome; `done` hears of every one that had its calls.
///
/// Before the calls it looks again, for people take their time to agree: what is no longer as the
/// plan showed it is left. Once `halted`, no further call is made.
pub(crate) async fn apply(
    client: &impl Ec2,
    plan: &RollbackPlan,
    journal: &Writer,
    done: impl Fn(),
    halted: impl Fn() -> bool,
) -> RolledBack {
    let rollback = &Rollback {
        client,
        journal,
        halted: &halted,
    };
    let done = &done;
    let calls = plan.defaults.iter().map(|step| async move {
        match &step.verdict {
            DefaultsVerdict::Restore { from, to } => {
                let restored = rollback.restore_defaults(step, from, to).await;
                done();
                Some(restored)
            }
            _ => step.settled(),
        }
    });
    let defaults: Vec<_> = stream::iter(calls).buffered(AT_ONCE).collect().await;

    let open: Vec<&Step> = plan.instances.iter().filter(|s| s.restores()).collect();
    let seen = &look_again(client, &open).await;
    let calls = open.iter().map(|step| async move {
        let restored = rollback.restore(step, seen.get(&step.key())).await;
        done();
        (step.key(), restored)
    });
    let mut restored: HashMap<Key<'_>, Restored> = stream::iter(calls)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    rollback.verify(&open, &mut restored).await;

    let instances = plan.instances.iter();
    let instances = instances.map(|step| step.settled().or_else(|| restored.remove(&step.key())));
    let path = journal.path().to_string_lossy().into_owned();
    RolledBack::of(
        &plan.account,
        instances.flatten().collect(),
        defaults.into_iter().flatten().collect(),
        Some(path),
    )
}

type Key<'a> = (&'a str, &'a InstanceId);

impl Step {
    fn key(&self) -> Key<'_> {
        (&self.region, &self.id)
    }

    fn restores(&self) -> bool {
        matches!(self.verdict, Verdict::Restore { .. })
    }

    fn failed(&self, reason: String) -> Restored {
        self.become_of(Outcome::Failed, None, reason)
    }
}

struct Rollback<'a, C, H> {
    client: &'a C,
    journal: &'a Writer,
    halted: &'a H,
}

impl<C: Ec2, H: Fn() -> bool> Rollback<'_, C, H> {
    async fn restore(&self, step: &Step, seen: Option<&Seen>) -> Restored {
        let now = match seen {
            Some(Seen::Instance(now)) => now,
            Some(Seen::Not(why)) => {
                return step.failed(format!("not restored: could not be seen: {}", Plain(why)));
            }
            Some(Seen::Unknown) | None => {
                let reason = Verdict::Gone(None).to_string();
                return step.become_of(Outcome::Gone, None, reason);
            }
        };
        if let Some(state) = now.state.filter(|state| state.is_final()) {
            let reason = Verdict::Gone(Some(state)).to_string();
            return step.become_of(Outcome::Gone, None, reason);
        }
        if step.instance().map(|planned| planned.options) != Some(now.options) {
            let reason = "it was changed while the plan was shown".to_owned();
            return step.become_of(Outcome::Skipped, None, reason);
        }
        match self.set(now, &step.wanted).await {
            Ok(after) => {
                let mut reason = "it has again what it had".to_owned();
                if let Verdict::Restore { stays, .. } = &step.verdict
                    && *stays != MetadataOptions::default()
                {
                    let stays = words(stays);
                    reason = format!("{reason}; not known before, so it stays: {stays}");
                }
                step.become_of(Outcome::Restored, Some(after), reason)
            }
            Err(reason) => step.failed(reason),
        }
    }

    /// Sets the options in as few calls as EC2 lets it.
    async fn set(
        &self,
        instance: &Instance,
        wanted: &MetadataOptions,
    ) -> Result<MetadataOptions, String> {
        let until = Instant::now() + PATIENCE;
        let mut backoff = Backoff::default();
        let mut now = instance.clone();
        let mut answered = 0;
        let mut refused = false;
        while answered < CALLS {
            let mut send = to_send(answered, &now.options, wanted);
            // What was seen a while ago may no longer be so, and an endpoint that was disabled since
            // must not be enabled on the way.
            if refused && send.http_endpoint == Some(Toggle::Enabled) {
                send.http_endpoint = differing(&now.options, wanted).http_endpoint;
            }
            self.may_call(|| self.journal.before(&now, &send))?;
            let answer = self.client.set_options(&now, &send).await;
            let kept = answer.as_ref().map_err(|refusal| refusal.why.as_str());
            self.journal.after(&now, kept);
            match answer {
                Ok(after) if has(&after, wanted) => return Ok(after),
                Ok(after) => {
                    now.options = over(&over(&now.options, &send), &after);
                    answered += 1;
                    refused = false;
                }
                Err(refusal) if refusal.may_pass && backoff.wait(until).await => refused = true,
                Err(refusal) => return Err(format!("not restored: {}", Plain(&refusal.why))),
            }
        }
        let left = differing(&now.options, wanted);
        let has = instead(&now.options, &left);
        Err(format!("{} was set, and EC2 answered {has}", words(&left)))
    }

    /// Keeps the intent; after this, the call is made.
    fn may_call(&self, intend: impl FnOnce() -> std::io::Result<()>) -> Result<(), String> {
        if (self.halted)() {
            return Err("not restored: interrupted".to_owned());
        }
        intend()
            .map_err(|error| format!("not restored, for the journal could not be written: {error}"))
    }

    /// Looks until EC2 shows what it answered. What it shows otherwise has failed.
    async fn verify<'a>(&self, open: &[&'a Step], restored: &mut HashMap<Key<'a>, Restored>) {
        let until = Instant::now() + PATIENCE;
        let mut backoff = Backoff::default();
        loop {
            let unsure: Vec<&'a Step> = open
                .iter()
                .copied()
                .filter(|step| {
                    let restored = restored.get(&step.key());
                    restored.is_some_and(|restored| restored.outcome == Outcome::Restored)
                })
                .collect();
            let seen = look_again(self.client, &unsure).await;
            let shown: Vec<(&'a Step, Shown)> = unsure
                .into_iter()
                .map(|step| (step, Shown::of(seen.get(&step.key()), &step.wanted)))
                .collect();
            let sure = shown
                .iter()
                .all(|(_, shown)| matches!(shown, Shown::Holds | Shown::Gone(_)));
            if !sure && !(self.halted)() && backoff.wait(until).await {
                continue;
            }
            for (step, shown) in shown {
                let Some(restored) = restored.get_mut(&step.key()) else {
                    continue;
                };
                match shown {
                    Shown::Holds => {}
                    Shown::Gone(state) => {
                        restored.outcome = Outcome::Gone;
                        restored.reason = Verdict::Gone(state).to_string();
                    }
                    Shown::Otherwise(reason) => {
                        restored.outcome = Outcome::Failed;
                        restored.reason = reason;
                    }
                    // The answer to the call held all options.
                    Shown::Not(why) => restored.reason.push_str(&why),
                }
            }
            return;
        }
    }

    async fn restore_defaults(
        &self,
        step: &DefaultsStep,
        from: &MetadataDefaults,
        to: &MetadataDefaults,
    ) -> RestoredDefaults {
        let become_of =
            |outcome, after, reason| step.become_of(outcome, Some(from.clone()), after, reason);
        let failed = |reason| become_of(Outcome::Failed, None, reason);
        let region = &step.region;
        match self.client.metadata_defaults(region).await {
            Ok(now) if alike(&now, from) => {}
            Ok(_) => {
                let reason = "they were changed while the plan was shown".to_owned();
                return become_of(Outcome::Skipped, None, reason);
            }
            Err(Refusal { why, .. }) => {
                return failed(format!("not restored: could not be seen: {}", Plain(&why)));
            }
        }
        if let Err(why) = self.may_call(|| self.journal.before_defaults(region, from, to)) {
            return failed(why);
        }
        let answer = self.client.set_metadata_defaults(region, from, to).await;
        let kept = answer.as_ref().map(|()| to);
        let kept = kept.map_err(|refusal| refusal.why.as_str());
        self.journal.after_defaults(region, kept);
        if let Err(refusal) = answer {
            return failed(format!("not restored: {}", Plain(&refusal.why)));
        }
        let until = Instant::now() + PATIENCE;
        let mut backoff = Backoff::default();
        loop {
            let now = self.client.metadata_defaults(region).await;
            if matches!(&now, Ok(now) if alike(now, to)) {
                let reason = "they are again as they were".to_owned();
                return become_of(Outcome::Restored, Some(to.clone()), reason);
            }
            if !(self.halted)() && backoff.wait(until).await {
                continue;
            }
            return match now {
                Ok(now) => {
                    let shows = differences(to, &now).join(" ");
                    let reason = format!("EC2 answered that they were set, and shows {shows}");
                    become_of(Outcome::Failed, Some(now), reason)
                }
                Err(refusal) => {
                    let why = Plain(&refusal.why);
                    failed(format!("set, and could not be looked at again: {why}"))
                }
            };
        }
    }
}

/// An instance after its call.
enum Shown {
    /// EC2 shows what it answered.
    Holds,
    /// It has ended.
    Gone(Option<State>),
    /// EC2 shows other options, and which.
    Otherwise(String),
    /// EC2 does not show it yet, and why.
    Not(String),
}

impl Shown {
    fn of(seen: Option<&Seen>, wanted: &MetadataOptions) -> Self {
        let now = match seen {
            Some(Seen::Instance(now)) => now,
            Some(Seen::Not(why)) => {
                let why = Plain(why);
                return Shown::Not(format!("; it could not be looked at again: {why}"));
            }
            Some(Seen::Unknown) | None => {
                let why = "; it could not be looked at again: EC2 did not show it";
                return Shown::Not(why.to_owned());
            }
        };
        if let Some(state) = now.state.filter(|state| state.is_final()) {
            return Shown::Gone(Some(state));
        }
        if !has(&now.options, wanted) {
            let left = differing(&now.options, wanted);
            let shows = instead(&now.options, &left);
            let set = words(&left);
            let words = format!("EC2 answered that {set} was set, and shows {shows}");
            return Shown::Otherwise(words);
        }
        // What is stopped takes its options when it starts.
        let stopped = now.state.is_some_and(State::is_stopped);
        if now.applied == Some(false) && !stopped {
            return Shown::Not("; EC2 has not applied it yet".to_owned());
        }
        Shown::Holds
    }
}

async fn look_again<'a>(client: &impl Ec2, steps: &[&'a Step]) -> HashMap<Key<'a>, Seen> {
    let mut asked: BTreeMap<&str, Vec<&'a Step>> = BTreeMap::new();
    for step in steps {
        asked.entry(&step.region).or_default().push(step);
    }
    let looks = asked.into_iter().map(|(region, steps)| async move {
        let ids: Vec<InstanceId> = steps.iter().map(|step| step.id.clone()).collect();
        let mut seen = look(client, region, &ids).await;
        let seen = steps.into_iter().filter_map(move |step| {
            let seen = seen.remove(&step.id)?;
            Some((step.key(), seen))
        });
        seen.collect::<Vec<_>>()
    });
    join_all(looks).await.into_iter().flatten().collect()
}
