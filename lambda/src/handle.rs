//! One event: parse, decide, act, report.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::{BoxFuture, join};
use imds_aws::{Backoff, Deadline, Found, Page, Remember, Terms, Unreadable, apply};
use imds_core::chain::chain;
use imds_core::decide::{Decision, Occasion};
use imds_core::event::{Event, Ignored, Launch, MetadataChange, Origin, parse};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plain::Plain;
use imds_core::plan::{Plan, Waiting};
use imds_core::report::{InstanceReport, Outcome, Report, Trigger, Unseen};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Context;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::Config;
use crate::error::Failure;
use crate::{log, metrics};

/// An id that EC2 does not know this long after its launch will not come any more.
const CONSISTENT_AFTER: SignedDuration = SignedDuration::from_mins(15);

const NO_MORE: &str = "EC2 no longer knows it";
const LATE: &str = "could not see the instances before the deadline";

/// The function, ready for events.
pub(crate) struct App {
    config: Config,
}

/// One invocation.
pub(crate) struct Job<'a> {
    pub(crate) config: &'a Config,
    pub(crate) request_id: &'a str,
    now: fn() -> Timestamp,
    deadline: Deadline,
}

/// What came out of looking and acting.
#[derive(Default)]
struct Done {
    instances: Vec<InstanceReport>,
    unseen: Vec<Unseen>,
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        App { config }
    }

    /// Most events come from the function's own region.
    pub(crate) fn prepare(&self) {
        self.config.client.prepare(&self.config.region);
    }

    /// Answers an event with the report, logs it and emits its metrics.
    ///
    /// # Errors
    /// When the event is malformed, or something that should have been done was not.
    pub(crate) async fn answer(
        &self,
        payload: Box<RawValue>,
        context: &Context,
        now: fn() -> Timestamp,
    ) -> Result<Report, Failure> {
        let request_id = context.request_id.as_str();
        let event = understood(payload.get(), &context.invoked_function_arn)
            .inspect_err(|e| tracing::error!(request_id, "{}", chain(e)))?;
        // An event takes up to 1 MB, and its answers need the room.
        drop(payload);
        let start = Instant::now();
        let left = time_left(context.deadline, now());
        let job = Job {
            config: &self.config,
            request_id,
            now,
            deadline: Deadline::of(start, start + left),
        };
        let report = job.report(event).await;
        log::report(&report, request_id);
        if report.trigger != Trigger::Sweep {
            metrics::event(&report, now());
        }
        if report.is_incomplete() {
            return Err(Failure::Incomplete(Box::new(report)));
        }
        Ok(report)
    }
}

impl Job<'_> {
    async fn report(&self, event: Event) -> Report {
        let (trigger, origin, done) = match event {
            Event::Ignored(Ignored {
                account,
                region,
                reason,
            }) => {
                return Report::ignored(account, region, reason.to_string());
            }
            Event::Sweep(sweep) => return self.sweep(sweep).await,
            Event::Launch(launch) => {
                let done = self.launch(&launch).await;
                (Trigger::Launch, launch.origin, done)
            }
            Event::MetadataChange(change) => {
                if self.is_ours(&change) {
                    let origin = change.origin;
                    let trigger = Trigger::MetadataChange;
                    let none =
                        Report::new(trigger, origin.account, Some(origin.region), vec![], vec![]);
                    let reason = Some("the function's own change".to_owned());
                    return Report { reason, ..none };
                }
                let mut done = self
                    .see_one(change.instance_id, &change.origin, &Occasion::Drift)
                    .await;
                done.blame(&change.origin);
                (Trigger::MetadataChange, change.origin, done)
            }
            Event::StateChange(change) => {
                let done = self
                    .see_one(change.instance_id, &change.origin, &Occasion::Launch)
                    .await;
                (Trigger::StateChange, change.origin, done)
            }
        };
        Report::new(
            trigger,
            origin.account,
            Some(origin.region),
            done.instances,
            done.unseen,
        )
    }

    fn is_ours(&self, change: &MetadataChange) -> bool {
        let own_session = change.session.is_some()
            && change.session.as_deref() == self.config.function.as_deref();
        own_session && self.config.policy.could_have_set(&change.set)
    }

    /// Who changed or started an instance is not who launched it.
    async fn see_one(&self, id: InstanceId, origin: &Origin, occasion: &'static Occasion) -> Done {
        let mut instance = Instance::unknown(id, origin.region.clone());
        instance.launched_at = origin.time;
        self.see(vec![instance], occasion, Backoff::default()).await
    }

    /// What the event shows to be compliant or exempt costs no call.
    async fn launch(&self, launch: &Launch) -> Done {
        let plan = Plan::new(
            &self.config.policy,
            once(&launch.instances),
            self.now(),
            &Occasion::Launch,
        );
        let mut settled = Done::default();
        let mut open = Vec::new();
        for step in plan.steps {
            let outcome = match &step.decision {
                Decision::Compliant(_) => Outcome::Compliant,
                Decision::Exempt(_) => Outcome::Exempt,
                Decision::Gone(_) | Decision::Wrong(_) => {
                    open.push(step.instance);
                    continue;
                }
            };
            let report = InstanceReport::decided(step.instance, &step.decision, outcome, None);
            settled.instances.push(report);
        }
        let named: BTreeSet<InstanceId> = launch.instances.iter().map(|i| i.id.clone()).collect();
        let seen = self.see(open, &Occasion::Launch, Backoff::default());
        let found = async {
            match launch.is_cut() {
                true => self.find(launch, named, Backoff::default()).await,
                false => Done::default(),
            }
        };
        let (seen, found) = join(seen, found).await;
        settled.and(seen).and(found)
    }

    /// Finds the instances that a launch's record leaves out, and settles them as they turn up.
    fn find<'s>(
        &'s self,
        launch: &'s Launch,
        known: BTreeSet<InstanceId>,
        mut backoff: Backoff,
    ) -> BoxFuture<'s, Done> {
        let (least, most) = launch.asked.unwrap_or((1, 1));
        Box::pin(async move {
            let look = timeout_at(self.deadline.look, self.client().look_for_launched(launch));
            let error = match look.await {
                Ok(Ok(Page {
                    instances,
                    unreadable,
                })) => {
                    let settled_before = known.len();
                    let is_new = |i: &Instance| !known.contains(&i.id);
                    let new: Vec<Instance> = instances.into_iter().filter(is_new).collect();
                    let mut unread = Done::unreadable(&launch.origin.region, unreadable);
                    unread.instances.retain(|i| !known.contains(&i.instance_id));
                    let known = known
                        .iter()
                        .chain(new.iter().map(|i| &i.id))
                        .chain(unread.instances.iter().map(|i| &i.instance_id))
                        .cloned()
                        .collect::<BTreeSet<_>>();
                    let found = known.len();
                    // Without a token others' launches count too, and between least and most only
                    // a second look tells whether EC2 knows them all yet.
                    let surely_all = found >= most && launch.client_token.is_some();
                    let no_more = found >= least && found == settled_before;
                    if surely_all || no_more {
                        let settled = self.settle(new, &Occasion::Launch).await;
                        return settled.and(unread);
                    }
                    let rest = async {
                        if backoff.wait(self.deadline.look).await {
                            self.find(launch, known, backoff).await
                        } else if found >= least {
                            Done::default()
                        } else {
                            let missing = format!(
                                "could not find the launched instances before the deadline: \
                                 {found} of at least {least}"
                            );
                            Done::unseen(&launch.origin.region, missing)
                        }
                    };
                    let (settled, rest) = join(self.settle(new, &Occasion::Launch), rest).await;
                    return settled.and(rest).and(unread);
                }
                Ok(Err(error))
                    if error.fault.may_pass() && backoff.wait(self.deadline.look).await =>
                {
                    return self.find(launch, known, backoff).await;
                }
                Ok(Err(error)) => chain(&error),
                Err(_elapsed) => LATE.to_owned(),
            };
            Done::unseen(&launch.origin.region, error)
        })
    }

    /// Looks at instances and settles them; what EC2 does not know yet is asked for again, and keeps
    /// none of the others waiting. All are of one region.
    fn see(
        &self,
        open: Vec<Instance>,
        occasion: &'static Occasion,
        mut backoff: Backoff,
    ) -> BoxFuture<'_, Done> {
        Box::pin(async move {
            let Some(region) = open.first().map(|instance| instance.region.clone()) else {
                return Done::default();
            };
            let ids: Vec<InstanceId> = open.iter().map(|instance| instance.id.clone()).collect();
            let error =
                match timeout_at(self.deadline.look, self.client().look(&region, &ids)).await {
                    Ok(Ok(Found {
                        mut instances,
                        unknown,
                        unreadable,
                    })) => {
                        let unread = Done::unreadable(&region, unreadable);
                        let mut known: BTreeMap<_, _> = open
                            .into_iter()
                            .map(|instance| (instance.id.clone(), instance))
                            .collect();
                        for instance in &mut instances {
                            if let Some(known) = known.remove(&instance.id) {
                                instance.principals = known.principals;
                            }
                        }
                        let open: Vec<Instance> = unknown
                            .into_iter()
                            .filter_map(|id| known.remove(&id))
                            .collect();
                        let rest = async {
                            if open.is_empty() {
                                Done::default()
                            } else if backoff.wait(self.deadline.look).await {
                                self.see(open, occasion, backoff).await
                            } else {
                                Done::of(open.into_iter().map(|instance| self.unknown(instance)))
                            }
                        };
                        let (settled, rest) = join(self.settle(instances, occasion), rest).await;
                        return settled.and(rest).and(unread);
                    }
                    Ok(Err(error))
                        if error.fault.may_pass() && backoff.wait(self.deadline.look).await =>
                    {
                        return self.see(open, occasion, backoff).await;
                    }
                    Ok(Err(error)) => chain(&error),
                    Err(_elapsed) => LATE.to_owned(),
                };
            Done::undone(open, &error)
        })
    }

    /// Not found is "not yet" after a launch, and later "no more".
    fn unknown(&self, instance: Instance) -> InstanceReport {
        let age = instance
            .launched_at
            .map(|launched| self.now().duration_since(launched));
        let (outcome, reason) = match age {
            Some(age) if age > CONSISTENT_AFTER => (Outcome::Gone, NO_MORE),
            _ => (Outcome::Failed, "EC2 does not know it yet"),
        };
        InstanceReport::unseen(instance, outcome, reason.to_owned())
    }

    /// Decides about instances and acts; what is to be stopped or terminated waits until it is old
    /// enough, and is looked at again.
    async fn settle(&self, instances: Vec<Instance>, occasion: &'static Occasion) -> Done {
        let policy = &self.config.policy;
        let mut plan = Plan::new(policy, instances, self.now(), occasion);
        let waiting = plan.split_off_waiting(policy, self.now());
        let remember = match occasion {
            Occasion::Drift => Remember::Mends,
            Occasion::Launch | Occasion::Existing(_) | Occasion::Asked => Remember::Nothing,
        };
        let wait = async {
            match waiting {
                Some(waiting) => self.wait(waiting, occasion).await,
                None => Done::default(),
            }
        };
        let (applied, waited) = join(apply(self.client(), plan, self.terms(remember)), wait).await;
        Done::of(applied).and(waited)
    }

    async fn wait(
        &self,
        Waiting { until, instances }: Waiting,
        occasion: &'static Occasion,
    ) -> Done {
        let wait = Duration::try_from(until.duration_since(self.now())).unwrap_or_default();
        if Instant::now() + wait >= self.deadline.look {
            let seconds = wait.as_secs_f64().ceil();
            let why = format!(
                "by `grace_seconds` it is stopped or terminated in {seconds} s, and the function's \
                 time ends before that"
            );
            return Done::undone(instances, &why);
        }
        sleep(wait).await;
        // By now the instances are old enough, so this does not wait again.
        self.see(instances, occasion, Backoff::default()).await
    }

    pub(crate) fn terms(&self, remember: Remember) -> Terms<'_> {
        let limits = &self.config.policy.limits;
        Terms {
            limits,
            deadline: self.deadline,
            remember,
            witness: None,
            now: self.now,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(crate) fn client(&self) -> &imds_aws::Client {
        &self.config.client
    }
}

impl Done {
    fn of(instances: impl IntoIterator<Item = InstanceReport>) -> Self {
        Done {
            instances: instances.into_iter().collect(),
            unseen: Vec::new(),
        }
    }

    fn undone(instances: Vec<Instance>, why: &str) -> Self {
        Done::of(
            instances
                .into_iter()
                .map(|instance| InstanceReport::unseen(instance, Outcome::Failed, why.to_owned())),
        )
    }

    fn unreadable(region: &str, unreadable: Vec<Unreadable>) -> Self {
        let mut done = Done::default();
        for unreadable in unreadable {
            match unreadable.into_report(region) {
                Ok(report) => done.instances.push(report),
                Err(unseen) => done.unseen.push(unseen),
            }
        }
        done
    }

    fn unseen(region: &str, error: String) -> Self {
        let unseen = vec![Unseen::expected(region, error)];
        Done {
            instances: Vec::new(),
            unseen,
        }
    }

    /// Names who changed the options of what is not as required.
    fn blame(&mut self, origin: &Origin) {
        let Some(who) = origin.principals.first() else {
            return;
        };
        for instance in self
            .instances
            .iter_mut()
            .filter(|i| !i.violations.is_empty())
        {
            instance.changed_by = Some(Plain(who).to_string());
            instance
                .reason
                .push_str(&format!("; changed by {}", Plain(who)));
        }
    }

    fn and(mut self, other: Done) -> Self {
        self.instances.extend(other.instances);
        self.unseen.extend(other.unseen);
        self
    }
}

/// The event, if it is of the function's own account.
fn understood(event: &str, function_arn: &str) -> Result<Event, Failure> {
    let event = parse(event)?;
    let own = function_arn.split(':').nth(4).filter(|own| is_account(own));
    match (event.account().filter(|of_event| is_account(of_event)), own) {
        (Some(of_event), Some(own)) if of_event != own => Err(Failure::OtherAccount {
            event: of_event.to_owned(),
            own: own.to_owned(),
        }),
        _ => Ok(event),
    }
}

/// The stand-ins for Lambda have other words in the function's ARN.
fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Lambda tells when the invocation ends, in milliseconds since 1970; `cargo lambda watch` tells how
/// many it lasts.
fn time_left(deadline_ms: u64, now: Timestamp) -> Duration {
    const A_DAY: u64 = 24 * 60 * 60 * 1000;
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let lasts = if deadline_ms < A_DAY {
        deadline_ms
    } else {
        deadline_ms.saturating_sub(now)
    };
    Duration::from_millis(lasts)
}

/// Each instance once, though an event may name it twice.
fn once(instances: &[Instance]) -> Vec<Instance> {
    let mut ids = BTreeSet::new();
    instances
        .iter()
        .filter(|instance| ids.insert(&instance.id))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_time_or_how_long_the_invocation_lasts() {
        let now = Timestamp::from_millisecond(1_772_359_200_000).unwrap();
        assert_eq!(time_left(1_772_359_203_000, now), Duration::from_secs(3));
        assert_eq!(time_left(1_772_359_199_000, now), Duration::ZERO);
        assert_eq!(time_left(600_000, now), Duration::from_secs(600));
    }
}
