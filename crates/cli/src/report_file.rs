//! Reports in files: those that this command writes as JSON, and those of the function.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use imds_core::plain::Plain;
use imds_core::report::{InstanceReport, Outcome, Summary, Unreachable, VERSION};
use imds_engine::{RegionDefaults, RegionTotal, ScanDecision, ScannedInstance, ScannedTemplate};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde_json::Value;

use crate::coverage::{Coverage, EmptyRegions, NotExamined, Source, Unexamined};

/// A report that was read.
#[derive(Debug, Clone)]
pub(crate) struct ReportFile {
    /// The reports that it consists of; one, unless it was joined. None is empty.
    pub(crate) sources: Vec<Source>,
    /// The totals of every region that was examined.
    pub(crate) regions: Vec<RegionTotal>,
    /// The instances.
    pub(crate) instances: Vec<ScannedInstance>,
    /// What could not be described.
    pub(crate) unreachable: Vec<Unreachable>,
    /// What launches the next instances, if that was requested.
    pub(crate) templates: Option<Vec<ScannedTemplate>>,
    /// The account's metadata defaults, if they were requested.
    pub(crate) defaults: Option<Vec<RegionDefaults>>,
    /// How long the command took, in seconds; 0 if the report does not say it.
    pub(crate) took_seconds: f64,
    /// Whether the function wrote it, so that it lacks what only this command reports.
    pub(crate) is_of_function: bool,
}

/// Why a file is not a report that can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportFileError {
    /// The file is not a report.
    #[error(
        "`{}` is not a report: {}; expected the JSON of `imdsctl scan --format json`",
        shown(path),
        Plain(why)
    )]
    NoReport {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// Another version of imdsctl wrote it.
    #[error(
        "report `{}` has format version {found}; expected {VERSION}: write it again with this imdsctl",
        shown(path)
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        found: u64,
    },
    /// A value is missing or not valid.
    #[error("report `{}`: `{}`: {}", shown(path), Plain(field), Plain(why))]
    Field {
        /// The file.
        path: PathBuf,
        /// The value's path, for example `$.instances[3].before.http_tokens`.
        field: String,
        /// What it is, and what was expected.
        why: String,
    },
}

/// The fields that reports of all versions have.
#[derive(Deserialize)]
struct ReportHeader {
    version: u64,
    #[serde(rename = "summary")]
    _summary: IgnoredAny,
    #[serde(rename = "instances")]
    _instances: IgnoredAny,
}

/// A report as it is in the file. The function writes none of what is optional, except `omitted`.
#[derive(Deserialize)]
struct ReportJson {
    trigger: String,
    account: Option<String>,
    region: Option<String>,
    scope: Option<Coverage>,
    not_examined: Option<Vec<NotExamined>>,
    #[serde(rename = "summary")]
    _summary: Summary,
    instances: Vec<Value>,
    unreachable: Vec<Unreachable>,
    #[serde(default)]
    omitted: usize,
    regions: Option<Vec<RegionTotal>>,
    /// Older reports list these regions in `regions`.
    #[serde(default)]
    empty_regions: Vec<EmptyRegions>,
    templates: Option<Vec<ScannedTemplate>>,
    defaults: Option<Vec<RegionDefaults>>,
    #[serde(default)]
    took_seconds: f64,
    finished_at: Option<Timestamp>,
    #[serde(default)]
    sources: Vec<Source>,
}

impl ReportFile {
    /// Reads the text of a report. `path` is for errors, and names the report if it is joined.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ReportFileError> {
        let header: ReportHeader =
            serde_json::from_str(text).map_err(|error| ReportFileError::NoReport {
                path: path.to_owned(),
                why: error.to_string(),
            })?;
        if header.version != u64::from(VERSION) {
            return Err(ReportFileError::Version {
                path: path.to_owned(),
                found: header.version,
            });
        }
        let json = &mut serde_json::Deserializer::from_str(text);
        let mut report: ReportJson = at_path(json, path, "$")?;
        let is_of_function = report.regions.is_none();
        let instances = instances(std::mem::take(&mut report.instances), is_of_function, path)?;
        report.add_empty_regions();
        report.name_account(&instances);
        let sources = report.sources(path);
        let regions = match report.regions {
            Some(regions) => regions,
            None => totals(&instances, &report.account),
        };
        report.unreachable.extend(not_listed(
            report.omitted,
            &report.account,
            report.region.as_deref(),
        ));
        Ok(ReportFile {
            sources,
            regions,
            instances,
            unreachable: report.unreachable,
            templates: report.templates,
            defaults: report.defaults,
            took_seconds: report.took_seconds,
            is_of_function,
        })
    }

    /// The report that contributes a region; the function does not list its regions.
    pub(crate) fn source(&self, account: Option<&str>, region: &str) -> Option<&Source> {
        let contributes = |it: &&Source| {
            let lists = it.regions.is_empty() || it.regions.iter().any(|it| it == region);
            let is_other = |of: &str| account.is_some_and(|account| account != of);
            lists && !it.is_superseded() && !it.account.as_deref().is_some_and(is_other)
        };
        self.sources.iter().find(contributes)
    }

    /// When the youngest of its reports finished, if they say so.
    pub(crate) fn finished_at(&self) -> Option<Timestamp> {
        self.sources.iter().filter_map(|it| it.finished_at).max()
    }
}

impl ReportJson {
    /// Completes the regions with those that have no instances.
    fn add_empty_regions(&mut self) {
        let empty = std::mem::take(&mut self.empty_regions).into_iter();
        if let Some(regions) = &mut self.regions {
            regions.extend(empty.flat_map(EmptyRegions::totals));
            regions.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
        }
    }

    /// Names the account where the command did not know it, and its instances do.
    fn name_account(&mut self, instances: &[ScannedInstance]) {
        let mut accounts = instances.iter().map(|it| &it.report.account);
        let first = accounts.next().cloned().flatten();
        let only = first.filter(|first| accounts.all(|it| it.as_ref() == Some(first)));
        if !self.sources.is_empty() || self.account.is_some() || only.is_none() {
            return;
        }
        let totals = self.regions.iter_mut().flatten().map(|it| &mut it.account);
        let unreachable = self.unreachable.iter_mut().map(|it| &mut it.account);
        let templates = self.templates.iter_mut().flatten();
        let defaults = self.defaults.iter_mut().flatten();
        let found = templates.map(|it| &mut it.account);
        let found = found.chain(defaults.map(|it| &mut it.account));
        for account in totals.chain(unreachable).chain(found) {
            account.clone_from(&only);
        }
        self.account = only;
    }

    fn sources(&mut self, path: &Path) -> Vec<Source> {
        let sources = std::mem::take(&mut self.sources);
        if !sources.is_empty() {
            return sources;
        }
        let regions = self.regions.iter().flatten().map(|it| it.region.clone());
        vec![Source {
            file: path.display().to_string(),
            trigger: self.trigger.clone(),
            account: self.account.clone(),
            finished_at: self.finished_at,
            scope: self.scope.take(),
            not_examined: self.not_examined.take().unwrap_or_else(of_function),
            regions: regions.collect(),
            superseded: Vec::new(),
        }]
    }
}

/// What a report of the function does not contain.
fn of_function() -> Vec<NotExamined> {
    let all = [
        Unexamined::Regions,
        Unexamined::Instances,
        Unexamined::UserData,
        Unexamined::LaunchTemplates,
        Unexamined::AccountDefaults,
    ];
    let reason = "a report of the function does not contain it";
    all.map(|what| NotExamined {
        what,
        reason: reason.to_owned(),
    })
    .into()
}

/// Reads the instances one by one, because the path of a value is lost where serde flattens a struct.
fn instances(
    values: Vec<Value>,
    is_of_function: bool,
    path: &Path,
) -> Result<Vec<ScannedInstance>, ReportFileError> {
    let mut named = BTreeSet::new();
    let mut instances = Vec::with_capacity(values.len());
    for (n, mut value) in values.into_iter().enumerate() {
        let begin = format!("$.instances[{n}]");
        let report: InstanceReport = at_path(&value, path, &begin)?;
        if !named.insert((report.region.clone(), report.instance_id.clone())) {
            let id = &report.instance_id;
            return Err(ReportFileError::Field {
                path: path.to_owned(),
                field: format!("{begin}.instance_id"),
                why: format!("`{id}` is listed twice; expected every instance once"),
            });
        }
        if let (true, Some(fields)) = (is_of_function, value.as_object_mut()) {
            let decision = decision(report.outcome).as_str();
            fields.insert("decision".to_owned(), decision.into());
        }
        instances.push(at_path(&value, path, &begin)?);
    }
    Ok(instances)
}

/// What was decided about an instance that the function reports.
fn decision(outcome: Outcome) -> ScanDecision {
    match outcome {
        Outcome::Compliant => ScanDecision::Compliant,
        Outcome::Exempt => ScanDecision::Exempt,
        Outcome::Gone => ScanDecision::Gone,
        Outcome::Reported => ScanDecision::Report,
        Outcome::Enforced | Outcome::Stopped | Outcome::Terminated | Outcome::Failed => {
            ScanDecision::Enforce
        }
    }
}

/// The totals of the regions that have instances.
fn totals(instances: &[ScannedInstance], account: &Option<String>) -> Vec<RegionTotal> {
    let of_account = |it: &Option<String>| it.as_ref().or(account.as_ref()).cloned();
    let accounts: BTreeSet<Option<String>> = instances
        .iter()
        .map(|it| of_account(&it.report.account))
        .collect();
    let totals = accounts.into_iter().flat_map(|account| {
        let own = instances.iter();
        let own: Vec<ScannedInstance> = own
            .filter(|it| of_account(&it.report.account) == account)
            .cloned()
            .collect();
        RegionTotal::count(account.as_deref(), [], &own)
    });
    totals.collect()
}

/// The instances that the function counted and left out of a long report.
fn not_listed(
    omitted: usize,
    account: &Option<String>,
    region: Option<&str>,
) -> Option<Unreachable> {
    (omitted > 0).then(|| Unreachable {
        account: account.clone(),
        region: region.unwrap_or("all").to_owned(),
        error: format!("the report counts {omitted} more instances, and does not list them"),
        fatal: true,
    })
}

/// Reads a value; an error has the path of what is wrong in it.
fn at_path<'de, T: DeserializeOwned>(
    json: impl Deserializer<'de, Error = serde_json::Error>,
    path: &Path,
    begin: &str,
) -> Result<T, ReportFileError> {
    serde_path_to_error::deserialize(json).map_err(|error| ReportFileError::Field {
        path: path.to_owned(),
        field: match error.path().to_string().as_str() {
            "." => begin.to_owned(),
            below => format!("{begin}.{below}"),
        },
        why: error.into_inner().to_string(),
    })
}

fn shown(path: &Path) -> String {
    Plain(&path.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests;
