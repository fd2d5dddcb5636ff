//! One region: its instances, and what else was asked of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join;
use futures_util::{StreamExt, stream};
use imds_aws::{Filter, Metric, Page};
use imds_core::chain::chain;
use imds_core::decide::{Decision, Occasion, Remedy, decide};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::plan::Step;
use imds_core::policy::Existing;
use imds_core::report::{InstanceReport, Outcome, Summary, Unseen};
use imds_core::usage::Usage;
use imds_user_data::Finding;

use super::{Search, Shared, Wishes, launchers};
use crate::document::{DefaultsRow, RegionTotal, TemplateRow};
use crate::progress::Progress;
use crate::row::{Row, Verdict};
use crate::user_data;

/// User data asked at once; EC2 hands it out one instance a call.
const USER_DATA_AT_ONCE: usize = 8;

/// What a region holds.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) total: RegionTotal,
    pub(super) rows: Vec<Row>,
    pub(super) steps: Vec<Step>,
    pub(super) unseen: Vec<Unseen>,
    /// Those of the ids asked for that are here.
    pub(super) found: Vec<InstanceId>,
    pub(super) templates: Vec<TemplateRow>,
    pub(super) defaults: Option<DefaultsRow>,
}

/// Looks at one region.
pub(super) async fn look(
    client: Shared,
    region: String,
    wishes: Arc<Wishes>,
    progress: Arc<Progress>,
) -> Seen {
    let mut looking = Looking {
        client: &client,
        region: &region,
        wishes: &wishes,
        progress: &progress,
        seen: Seen {
            total: RegionTotal {
                region: region.clone(),
                summary: Summary::default(),
            },
            rows: Vec::new(),
            steps: Vec::new(),
            unseen: Vec::new(),
            found: Vec::new(),
            templates: Vec::new(),
            defaults: None,
        },
    };
    let account = launchers::look(&client, &region, &wishes);
    let ((), account) = join(looking.instances(), account).await;
    let mut seen = looking.seen;
    seen.unseen.extend(account.unseen);
    seen.templates = account.templates;
    seen.defaults = account.defaults;
    seen
}

struct Looking<'a> {
    client: &'a Shared,
    region: &'a str,
    wishes: &'a Wishes,
    progress: &'a Progress,
    seen: Seen,
}

impl Looking<'_> {
    async fn instances(&mut self) {
        let search = Search::of(&self.wishes.instances);
        for filters in search.filters() {
            self.pages(&filters).await;
        }
    }

    /// While a page is read and judged, the next one is under way.
    async fn pages(&mut self, filters: &[Filter<'_>]) {
        let client = Arc::clone(self.client);
        let mut pages = client.pages(self.region, filters);
        let mut page = pages.next().await;
        loop {
            match page {
                Ok(None) => return,
                Err(error) => {
                    let unseen = Unseen::expected(self.region, chain(&error));
                    self.seen.unseen.push(unseen);
                    return;
                }
                Ok(Some(seen)) => {
                    (page, ()) = join(pages.next(), self.page(seen)).await;
                }
            }
        }
    }

    async fn page(&mut self, page: Page) {
        let Page {
            instances,
            unreadable,
        } = page;
        for unreadable in unreadable {
            let unseen = Unseen::expected(self.region, unreadable.to_string());
            self.seen.unseen.push(unseen);
            self.seen.found.extend(unreadable.instance_id());
        }
        self.progress.seen(instances.len(), self.client.throttled());
        if !self.wishes.instances.ids.is_empty() {
            let ids = instances.iter().map(|instance| instance.id.clone());
            self.seen.found.extend(ids);
        }
        let (usage, mut findings) = join(self.usage(&instances), self.user_data(&instances)).await;
        for instance in instances {
            let findings = match findings.remove(&instance.id) {
                Some(Ok(findings)) => findings,
                Some(Err(why)) => {
                    let why = format!("user data of {}: {why}", instance.id);
                    self.seen.unseen.push(Unseen::expected(self.region, why));
                    Vec::new()
                }
                None => Vec::new(),
            };
            self.instance(instance, &usage, findings);
        }
    }

    fn instance(&mut self, instance: Instance, usage: &Evidence, user_data: Vec<Finding>) {
        let wishes = self.wishes;
        let usage = usage_of(usage, &instance, wishes);
        let occasion = match &usage {
            Some(usage) if wishes.unused_only => Occasion::Existing(usage.clone()),
            _ => Occasion::Asked,
        };
        let decision = decide(&wishes.policy, &instance, wishes.now, &occasion);
        let row = row(&instance, &decision, usage, user_data);
        self.seen.total.summary.add(Summary::of([&row.report]));
        if wishes.keep_steps && row.decision == Verdict::Enforce {
            self.seen.steps.push(Step {
                instance,
                decision: decision.clone(),
            });
        }
        if matches!(decision, Decision::Wrong(_)) || !wishes.only_violations {
            self.seen.rows.push(row);
        }
    }

    /// Asked for wrong instances only: on the others IMDSv1 is refused.
    async fn usage(&self, instances: &[Instance]) -> Evidence {
        let wishes = self.wishes;
        let days = wishes.usage_days?;
        let wrong: Vec<&InstanceId> = instances
            .iter()
            .filter(|instance| is_wrong(instance, wishes))
            .map(|instance| &instance.id)
            .collect();
        let window = (window(days).window_begin(wishes.now), wishes.now);
        let read = self
            .client
            .datapoints(self.region, Metric::NoToken, &wrong, window);
        Some(read.await.map_err(|error| error.cause()))
    }

    async fn user_data(
        &self,
        instances: &[Instance],
    ) -> BTreeMap<InstanceId, Result<Vec<Finding>, String>> {
        if !self.wishes.user_data {
            return BTreeMap::new();
        }
        let lives = instances
            .iter()
            .filter(|instance| !instance.state.is_some_and(State::is_final));
        let ids: Vec<InstanceId> = lives.map(|instance| instance.id.clone()).collect();
        let each = ids.into_iter().map(|id| async move {
            let found = match self.client.user_data(self.region, &id).await {
                Ok(None) => Ok(Vec::new()),
                Ok(Some(data)) => user_data::search(&data).map_err(|error| chain(&error)),
                Err(error) => Err(chain(&error)),
            };
            (id, found)
        });
        stream::iter(each)
            .buffer_unordered(USER_DATA_AT_ONCE)
            .collect()
            .await
    }
}

/// CloudWatch's answer, where it was asked.
type Evidence = Option<Result<BTreeMap<InstanceId, Vec<imds_core::usage::Datapoint>>, String>>;

fn usage_of(evidence: &Evidence, instance: &Instance, wishes: &Wishes) -> Option<Usage> {
    let answer = evidence.as_ref().filter(|_| is_wrong(instance, wishes))?;
    let existing = window(wishes.usage_days?);
    Some(Usage::of(instance, answer, &existing, wishes.now))
}

fn is_wrong(instance: &Instance, wishes: &Wishes) -> bool {
    let decision = decide(&wishes.policy, instance, wishes.now, &Occasion::Asked);
    matches!(decision, Decision::Wrong(_))
}

fn window(days: u8) -> Existing {
    Existing {
        usage_window_days: days,
        ..Existing::default()
    }
}

/// An instance as it is shown.
pub(crate) fn row(
    instance: &Instance,
    decision: &Decision,
    usage: Option<Usage>,
    user_data: Vec<Finding>,
) -> Row {
    let (outcome, verdict) = match decision {
        Decision::Compliant(_) => (Outcome::Compliant, Verdict::Compliant),
        Decision::Exempt(_) => (Outcome::Exempt, Verdict::Exempt),
        Decision::Gone(_) => (Outcome::Gone, Verdict::Gone),
        Decision::Wrong(wrong) => match wrong.remedy {
            Remedy::Enforce(_) => (Outcome::Reported, Verdict::Enforce),
            Remedy::Report(_) | Remedy::Stop | Remedy::AlreadyStopped | Remedy::Terminate => {
                (Outcome::Reported, Verdict::Report)
            }
        },
    };
    let group = instance.auto_scaling_group().map(str::to_owned);
    let mut report = InstanceReport::decided(instance.clone(), decision, outcome, None);
    report.usage = report.usage.or(usage);
    Row {
        report,
        account: instance.account.clone(),
        name: instance.tags.get("Name").cloned(),
        state: instance.state,
        decision: verdict,
        auto_scaling_group: group.filter(|_| outcome == Outcome::Reported),
        user_data,
    }
}
