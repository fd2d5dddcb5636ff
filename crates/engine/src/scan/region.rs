//! One region of a scan.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join;
use futures_util::{StreamExt, stream};
use imds_aws::{CallError, Client, DescribedPage, Metric};
use imds_core::chain::chain;
use imds_core::decide::{Because, Decision, Evidence, decide, needed_exemptions};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::plan::Step;
use imds_core::policy::Action;
use imds_core::report::{Summary, Unreachable};
use imds_core::usage::{CallAnswer, CallData, UsageWindow, window_begin};
use imds_user_data::Finding;

use super::launchers::LaunchedVersions;
use super::scanned::{RegionDefaults, RegionTotal, ScanDecision, ScannedInstance, ScannedTemplate};
use super::templates::AccountScanner;
use super::{Keep, ScanOptions};
use crate::pages::{HandlePage, each_page};
use crate::regions::{OnProgress, Progress};
use crate::usage::usage_not_read;
use crate::user_data;

/// Calls for user data at once; EC2 answers one instance a call.
const USER_DATA_AT_ONCE: usize = 8;

/// What a region holds.
#[derive(Debug)]
pub(super) struct RegionScan {
    pub(super) total: RegionTotal,
    pub(super) instances: Vec<ScannedInstance>,
    pub(super) steps: Vec<Step>,
    pub(super) unreachable: Vec<Unreachable>,
    /// Those of the ids asked for that are here.
    pub(super) found: Vec<InstanceId>,
    pub(super) templates: Vec<ScannedTemplate>,
    pub(super) defaults: Option<RegionDefaults>,
    /// The names of the exemptions that an instance here needs, or may need.
    pub(super) needed_exemptions: BTreeSet<String>,
}

/// CloudWatch's answer, where it was asked.
type UsageAnswer = Option<CallAnswer>;

/// What user data calls, or why it could not be read, where it was searched.
type UserDataAnswer = Option<Result<Vec<Finding>, String>>;

impl RegionScan {
    pub(super) async fn scan(
        client: &Client,
        region: String,
        options: &ScanOptions,
        on_progress: &OnProgress,
    ) -> Self {
        let mut scanner = RegionScanner {
            client,
            region: &region,
            options,
            on_progress,
            launched: LaunchedVersions::new(),
            scan: RegionScan {
                total: RegionTotal {
                    account: None,
                    region: region.clone(),
                    summary: Summary::default(),
                },
                instances: Vec::new(),
                steps: Vec::new(),
                unreachable: Vec::new(),
                found: Vec::new(),
                templates: Vec::new(),
                defaults: None,
                needed_exemptions: BTreeSet::new(),
            },
        };
        let mut account = AccountScanner::new(client, &region, options);
        join(scanner.instances(), account.read()).await;
        let account = account.evaluate(scanner.launched).await;
        let mut scan = scanner.scan;
        scan.unreachable.extend(account.unreachable);
        scan.templates = account.templates;
        scan.defaults = account.defaults;
        scan
    }
}

impl RegionScan {
    /// Names the account, which is not known when the scan of a region begins.
    pub(super) fn belongs_to(&mut self, account: Option<&str>) {
        let templates = self.templates.iter_mut().map(|it| &mut it.account);
        let defaults = self.defaults.iter_mut().map(|it| &mut it.account);
        let accounts = templates.chain(defaults).chain([&mut self.total.account]);
        accounts.for_each(|it| *it = account.map(str::to_owned));
    }
}

/// An instance, and the decision about it where a person asks.
struct DecidedInstance {
    instance: Instance,
    decision: Decision,
}

struct RegionScanner<'a> {
    client: &'a Client,
    region: &'a str,
    options: &'a ScanOptions,
    on_progress: &'a OnProgress,
    /// The versions of launch templates that instances were launched from.
    launched: LaunchedVersions,
    scan: RegionScan,
}

impl RegionScanner<'_> {
    async fn instances(&mut self) {
        let (client, region) = (self.client, self.region);
        for filters in self.options.instances.searches(region) {
            if let Err(error) = each_page(client, region, &filters, self).await {
                self.fail(chain(&error));
            }
        }
    }

    fn instance(&mut self, decided: DecidedInstance, usage: &UsageAnswer, found: UserDataAnswer) {
        let options = self.options;
        let DecidedInstance { instance, decision } = decided;
        let usage = match (usage, options.usage_days) {
            (Some(answer), Some(days)) if options.asks_usage(&decision) => {
                let window = UsageWindow {
                    since: window_begin(days, options.now),
                    data_hours: options.policy.existing.usage_data_hours,
                };
                Some(window.evaluate_answer(&instance, answer))
            }
            _ => None,
        };
        let plans = matches!(options.keep, Keep::Plan(_));
        let mut decision = match &usage {
            Some(usage) if plans => self.decide(&instance, &Evidence::Usage(usage.clone())),
            _ => decision,
        };
        if plans {
            decision = without_user_data(decision, found.as_ref());
        }
        let found = self.findings(&instance.id, found);
        let scanned = ScannedInstance::new(&instance, &decision, usage, found);
        let summary = Summary::count([&scanned.report]);
        self.scan.total.summary.add(summary);
        if plans && scanned.decision == ScanDecision::Enforce {
            self.scan.steps.push(Step { instance, decision });
        }
        let is_violation = scanned.is_non_compliant() || !scanned.user_data.is_empty();
        if options.keep != Keep::Violations || is_violation {
            self.scan.instances.push(scanned);
        }
    }

    fn decide(&self, instance: &Instance, evidence: &Evidence) -> Decision {
        let ScanOptions { policy, now, .. } = self.options;
        decide(policy, instance, *now, self.options.discovery(), evidence)
    }

    /// What was found in user data; what could not be read is an error of the region.
    fn findings(&mut self, id: &InstanceId, found: UserDataAnswer) -> Vec<Finding> {
        match found {
            Some(Ok(found)) => found,
            Some(Err(error)) => {
                self.fail(format!("user data of {id}: {error}"));
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Adds an error of the region, once.
    fn fail(&mut self, error: String) {
        let unreachable = Unreachable::fatal(self.region, error);
        if !self.scan.unreachable.contains(&unreachable) {
            self.scan.unreachable.push(unreachable);
        }
    }

    async fn usage(
        &self,
        instances: &[DecidedInstance],
    ) -> Option<Result<BTreeMap<InstanceId, CallData>, CallError>> {
        let days = self.options.usage_days?;
        let asked = instances.iter();
        let asked = asked.filter(|decided| self.options.asks_usage(&decided.decision));
        let ids: Vec<&InstanceId> = asked.map(|decided| &decided.instance.id).collect();
        let now = self.options.now;
        let window = (window_begin(days, now), now);
        let client = self.client;
        let answer = client.call_data(self.region, Metric::USAGE, &ids, window);
        Some(answer.await)
    }

    async fn user_data(
        &self,
        instances: &[DecidedInstance],
    ) -> BTreeMap<InstanceId, Result<Vec<Finding>, String>> {
        if !self.options.include.user_data {
            return BTreeMap::new();
        }
        let plans = matches!(self.options.keep, Keep::Plan(_));
        let alive = instances
            .iter()
            .filter(|decided| !plans || decided.decision.non_compliant().is_some())
            .map(|decided| &decided.instance)
            .filter(|instance| !instance.state.is_some_and(State::is_final));
        let ids: Vec<InstanceId> = alive.map(|instance| instance.id.clone()).collect();
        let each = ids.into_iter().map(|id| async move {
            let findings = match self.client.user_data(self.region, &id).await {
                Ok(None) => Ok(Vec::new()),
                Ok(Some(data)) => user_data::search(&data).map_err(|error| chain(&error)),
                Err(error) => Err(chain(&error)),
            };
            (id, findings)
        });
        stream::iter(each)
            .buffer_unordered(USER_DATA_AT_ONCE)
            .collect()
            .await
    }
}

/// The template and the version that an instance was launched from, unless it has terminated.
fn launched_version(instance: &Instance) -> Option<(String, i64)> {
    let is_gone = instance.state.is_some_and(State::is_final);
    let template = instance.launch_template().filter(|_| !is_gone)?;
    Some((template.id, template.version?.parse().ok()?))
}

impl HandlePage for RegionScanner<'_> {
    async fn page(&mut self, page: DescribedPage) {
        let found = self.options.instances.found(&page);
        self.scan.found.extend(found);
        let DescribedPage {
            instances,
            unreadable,
        } = page;
        for unreadable in unreadable {
            self.fail(unreadable.to_string());
        }
        (self.on_progress)(Progress::Instances(instances.len()));
        if self.options.include.templates.is_some() {
            for version in instances.iter().filter_map(launched_version) {
                *self.launched.entry(version).or_default() += 1;
            }
        }
        let decide = |instance: Instance| {
            let decision = self.decide(&instance, &Evidence::NotAsked);
            DecidedInstance { instance, decision }
        };
        let instances: Vec<DecidedInstance> = instances.into_iter().map(decide).collect();
        for DecidedInstance { instance, decision } in &instances {
            let (policy, now) = (&self.options.policy, self.options.now);
            let needed = needed_exemptions(policy, instance, decision, now);
            self.scan
                .needed_exemptions
                .extend(needed.map(str::to_owned));
        }
        let (usage, mut found) = join(self.usage(&instances), self.user_data(&instances)).await;
        if let Some(Err(error)) = &usage {
            self.fail(usage_not_read(error));
        }
        let usage = usage.map(|answer| answer.map_err(|error| error.cause()));
        for decided in instances {
            let found = found.remove(&decided.instance.id);
            self.instance(decided, &usage, found);
        }
    }
}

/// An instance whose user data calls without a token, or could not be read, is not to be enforced.
fn without_user_data(decision: Decision, found: Option<&Result<Vec<Finding>, String>>) -> Decision {
    let line = match found {
        Some(Ok(found)) => match found.first() {
            Some(finding) => Some(finding.line),
            None => return decision,
        },
        Some(Err(_)) => None,
        None => return decision,
    };
    match decision {
        Decision::NonCompliant(it) if it.action > Action::Report && it.change.ends_v1() => {
            Decision::NonCompliant(it.milder(Action::Report, Because::UserData(line)))
        }
        decision => decision,
    }
}
