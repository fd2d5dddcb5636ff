//! Asks what decisions depend on, once for all instances of a region.

use std::collections::BTreeSet;

use imds_aws::Metric;
use imds_core::decide::{Discovery, Evidence, Question};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::{Plan, Step};
use imds_core::state::Pause;
use imds_core::usage::{CallAnswer, RejectedCalls};
use jiff::{SignedDuration, Timestamp};

use crate::attempt::in_time;
use crate::engine::Engine;

/// How long before a change of options rejected calls may be its cause.
const REJECTED_BEFORE: SignedDuration = SignedDuration::from_hours(24);

impl Engine<'_> {
    /// Reads the state table, answers the questions of a plan and decides again. Without an answer, what is
    /// decided is what may be done without knowing.
    pub(crate) async fn ask(
        &self,
        region: &str,
        plan: Plan,
        discovery: Discovery,
    ) -> (Plan, Option<Pause>) {
        let (plan, pause) = self.consult(region, plan, discovery).await;
        let now = (self.now)();
        let window = self.policy.existing.usage_window(now);
        let usage = self.calls(region, &plan, Question::Usage, (window.since, now));
        let changed_at = match discovery {
            Discovery::Drift { at: Some(at), .. } => at.min(now),
            _ => now,
        };
        let before = changed_at.checked_sub(REJECTED_BEFORE);
        let before = (before.unwrap_or(changed_at), changed_at);
        let rejected = self.calls(region, &plan, Question::RejectedCalls, before);
        let persistent = self.persistent_spot_requests(region, &plan);
        let (usage, rejected, persistent) =
            futures_util::future::join3(usage, rejected, persistent).await;
        let answer = |mut step: Step| {
            let evidence = match step.question() {
                None => return step,
                Some(Question::Usage) => {
                    Evidence::Usage(window.evaluate_answer(&step.instance, &usage))
                }
                Some(Question::RejectedCalls) => {
                    Evidence::RejectedCalls(rejected_calls(&step.instance, &rejected))
                }
                Some(Question::SpotRequest) => {
                    if let (Some(spot), Some(persistent)) = (&mut step.instance.spot, &persistent) {
                        let id = spot.id.as_ref();
                        spot.is_persistent = Some(id.is_none_or(|id| persistent.contains(id)));
                    }
                    Evidence::NotAsked
                }
            };
            Step::new(self.policy, step.instance, now, discovery, &evidence)
        };
        let plan = Plan {
            steps: plan.steps.into_iter().map(answer).collect(),
            ..plan
        };
        (plan, pause)
    }

    async fn calls(
        &self,
        region: &str,
        plan: &Plan,
        question: Question,
        window: (Timestamp, Timestamp),
    ) -> CallAnswer {
        let asked = plan
            .steps
            .iter()
            .filter(|it| it.question() == Some(question));
        let ids: Vec<&InstanceId> = asked.map(|step| &step.instance.id).collect();
        let metrics = match question {
            Question::RejectedCalls => &[Metric::NoTokenRejected],
            Question::Usage | Question::SpotRequest => Metric::USAGE,
        };
        let call = self.client.call_data(region, metrics, &ids, window);
        let answer = in_time(self.deadline.ask(), call).await;
        answer.map_err(|error| {
            tracing::warn!(
                region,
                "could not ask CloudWatch for calls without a token: {error}"
            );
            error.why
        })
    }

    /// `None`: not known.
    async fn persistent_spot_requests(
        &self,
        region: &str,
        plan: &Plan,
    ) -> Option<BTreeSet<String>> {
        let asked = plan.steps.iter();
        let asked = asked.filter(|it| it.question() == Some(Question::SpotRequest));
        let requests = asked.filter_map(|step| step.instance.spot.as_ref()?.id.as_deref());
        let requests: Vec<&str> = requests.collect();
        let call = self.client.persistent_spot_requests(region, &requests);
        match in_time(self.deadline.ask(), call).await {
            Ok(persistent) => Some(persistent),
            Err(error) => {
                tracing::warn!(region, "could not describe Spot requests: {error}");
                None
            }
        }
    }
}

/// A call count that is not known keeps nothing from being enforced.
fn rejected_calls(instance: &Instance, answer: &CallAnswer) -> Option<RejectedCalls> {
    RejectedCalls::count(&answer.as_ref().ok()?.get(&instance.id)?.rejected)
}
