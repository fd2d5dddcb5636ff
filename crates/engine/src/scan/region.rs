//! One region of a scan.

use std::collections::BTreeMap;

use futures_util::future::join;
use futures_util::{StreamExt, stream};
use imds_aws::{Client, DescribedPage, Metric};
use imds_core::chain::chain;
use imds_core::decide::{Decision, Discovery, Evidence, decide};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::plan::Step;
use imds_core::report::{Summary, Unreachable};
use imds_core::usage::{CallAnswer, UsageWindow, window_begin};
use imds_user_data::Finding;

use super::launchers::LaunchedVersions;
use super::scanned::{RegionDefaults, RegionTotal, ScanDecision, ScannedInstance, ScannedTemplate};
use super::templates::AccountScanner;
use super::{Keep, ScanOptions};
use crate::pages::{HandlePage, each_page};
use crate::regions::{OnProgress, Progress};
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
}

/// CloudWatch's answer, where it was asked.
type UsageAnswer = Option<CallAnswer>;

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
        for filters in self.options.instances.searches() {
            if let Err(error) = each_page(client, region, &filters, self).await {
                let unreachable = Unreachable::fatal(region, chain(&error));
                self.scan.unreachable.push(unreachable);
            }
        }
    }

    fn instance(&mut self, decided: DecidedInstance, usage: &UsageAnswer, user_data: Vec<Finding>) {
        let options = self.options;
        let DecidedInstance { instance, decision } = decided;
        let is_non_compliant = matches!(decision, Decision::NonCompliant(_));
        let usage = match (usage, options.usage_days) {
            (Some(answer), Some(days)) if is_non_compliant => {
                let window = UsageWindow {
                    since: window_begin(days, options.now),
                    data_hours: options.policy.existing.usage_data_hours,
                };
                Some(window.evaluate_answer(&instance, answer))
            }
            _ => None,
        };
        let decision = match &usage {
            Some(usage) if options.keep == Keep::PlanOfUnused => {
                let evidence = Evidence::Usage(usage.clone());
                let discovery = Discovery::Request;
                decide(
                    &options.policy,
                    &instance,
                    options.now,
                    discovery,
                    &evidence,
                )
            }
            _ => decision,
        };
        let scanned = ScannedInstance::new(&instance, &decision, usage, user_data);
        let summary = Summary::count([&scanned.report]);
        self.scan.total.summary.add(summary);
        let plans = matches!(options.keep, Keep::Plan | Keep::PlanOfUnused);
        if plans && scanned.decision == ScanDecision::Enforce {
            self.scan.steps.push(Step { instance, decision });
        }
        let is_violation = scanned.is_non_compliant() || !scanned.user_data.is_empty();
        if options.keep != Keep::Violations || is_violation {
            self.scan.instances.push(scanned);
        }
    }

    /// Asked for non-compliant instances only: on the others IMDSv1 is refused.
    async fn usage(&self, instances: &[DecidedInstance]) -> UsageAnswer {
        let days = self.options.usage_days?;
        let non_compliant: Vec<&InstanceId> = instances
            .iter()
            .filter(|decided| matches!(decided.decision, Decision::NonCompliant(_)))
            .map(|decided| &decided.instance.id)
            .collect();
        let now = self.options.now;
        let window = (window_begin(days, now), now);
        let answer = self
            .client
            .call_data(self.region, Metric::USAGE, &non_compliant, window);
        Some(answer.await.map_err(|error| error.cause()))
    }

    async fn user_data(
        &self,
        instances: &[DecidedInstance],
    ) -> BTreeMap<InstanceId, Result<Vec<Finding>, String>> {
        if !self.options.include.user_data {
            return BTreeMap::new();
        }
        let alive = instances
            .iter()
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
        let region = self.region;
        let options = self.options;
        self.scan.found.extend(options.instances.found(&page));
        let DescribedPage {
            instances,
            unreadable,
        } = page;
        for unreadable in unreadable {
            let unreachable = Unreachable::fatal(region, unreadable.to_string());
            self.scan.unreachable.push(unreachable);
        }
        (self.on_progress)(Progress::Instances(instances.len()));
        if options.include.templates.is_some() {
            for version in instances.iter().filter_map(launched_version) {
                *self.launched.entry(version).or_default() += 1;
            }
        }
        let decide = |instance: Instance| {
            let (discovery, evidence) = (Discovery::Request, Evidence::NotAsked);
            let decision = decide(
                &options.policy,
                &instance,
                options.now,
                discovery,
                &evidence,
            );
            DecidedInstance { instance, decision }
        };
        let instances: Vec<DecidedInstance> = instances.into_iter().map(decide).collect();
        let (usage, mut findings) = join(self.usage(&instances), self.user_data(&instances)).await;
        for decided in instances {
            let id = &decided.instance.id;
            let findings = match findings.remove(id) {
                Some(Ok(findings)) => findings,
                Some(Err(error)) => {
                    let error = format!("user data of {id}: {error}");
                    self.scan
                        .unreachable
                        .push(Unreachable::fatal(region, error));
                    Vec::new()
                }
                None => Vec::new(),
            };
            self.instance(decided, &usage, findings);
        }
    }
}
