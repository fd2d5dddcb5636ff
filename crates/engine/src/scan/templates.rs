//! What launches a region's next instances, and what the account gives them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join4};
use futures_util::{StreamExt, stream};
use imds_aws::{CallError, Client, Launcher};
use imds_core::chain::chain;
use imds_core::defaults::MetadataDefaults;
use imds_core::launcher::{LaunchSource, TemplateCompliance};
use imds_core::launcher_use::{LaunchTemplateSummary, LauncherUse};
use imds_core::options::HttpTokens;
use imds_core::plain::Plain;
use imds_core::report::Unreachable;
use imds_user_data::Finding;

use super::launchers::{LaunchedVersions, RegionUses};
use super::scanned::{RegionDefaults, ScannedTemplate, TemplateKind};
use super::{Keep, KeptTemplates, ScanOptions};
use crate::user_data;

/// How many calls for one template each are in flight at once.
const AT_ONCE: usize = 8;

/// What was scanned besides instances.
#[derive(Debug, Default)]
pub(super) struct AccountScan {
    pub(super) templates: Vec<ScannedTemplate>,
    pub(super) defaults: Option<RegionDefaults>,
    pub(super) unreachable: Vec<Unreachable>,
}

/// Reads what launches instances: first what needs no instance, then what instances were launched from.
pub(super) struct AccountScanner<'a> {
    client: &'a Client,
    region: &'a str,
    options: &'a ScanOptions,
    templates: Vec<LaunchTemplateSummary>,
    /// Whether all templates are known.
    lists_templates: bool,
    launchers: Vec<Launcher>,
    uses: Vec<LauncherUse>,
    defaults: Option<MetadataDefaults>,
    scan: AccountScan,
}

/// What decides about the next instance, besides the launcher, the defaults and the policy.
struct ImageFacts {
    /// The ids of images that are named by a Systems Manager parameter.
    aliases: BTreeMap<String, String>,
    /// Whether images require tokens, by their ids.
    require_tokens: BTreeMap<String, bool>,
}

impl<'a> AccountScanner<'a> {
    pub(super) fn new(client: &'a Client, region: &'a str, options: &'a ScanOptions) -> Self {
        AccountScanner {
            client,
            region,
            options,
            templates: Vec::new(),
            lists_templates: false,
            launchers: Vec::new(),
            uses: Vec::new(),
            defaults: None,
            scan: AccountScan::default(),
        }
    }

    /// Reads the default and the latest version of every launch template, the launch configurations, and what
    /// launches instances from them.
    pub(super) async fn read(&mut self) {
        let (client, region) = (self.client, self.region);
        if self.options.include.templates.is_none() {
            if self.options.include.defaults {
                self.defaults = self.known(client.metadata_defaults(region).await);
            }
            return;
        }
        let templates = client.launch_templates(region);
        let configurations = client.launch_configurations(region);
        let (defaults, (templates, configurations)) = join(
            client.metadata_defaults(region),
            join(templates, configurations),
        )
        .await;
        self.defaults = self.known(defaults);
        let templates = self.known(templates);
        self.lists_templates = templates.is_some();
        self.templates = templates.unwrap_or_default();
        self.launchers = self.known(configurations).unwrap_or_default();
        if !self.templates.is_empty() {
            let versions = client.default_and_latest_versions(region, &self.templates);
            let groups = client.group_uses(region);
            let fleets = client.fleet_uses(region);
            let spot_fleets = client.spot_fleet_uses(region);
            let (versions, groups, fleets, spot_fleets) =
                join4(versions, groups, fleets, spot_fleets).await;
            let versions = self.known(versions).unwrap_or_default();
            self.launchers.extend(versions);
            for uses in [groups, fleets, spot_fleets] {
                let uses = self.known(uses).unwrap_or_default();
                self.uses.extend(uses);
            }
        } else if !self.launchers.is_empty() {
            let groups = client.group_uses(region).await;
            self.uses = self.known(groups).unwrap_or_default();
        }
    }

    /// Reads the other versions that are in use, and evaluates all.
    pub(super) async fn evaluate(mut self, launched: LaunchedVersions) -> AccountScan {
        let uses = std::mem::take(&mut self.uses);
        let uses = RegionUses::new(&self.templates, uses, launched);
        self.read_others(&uses).await;
        let facts = self.image_facts(&uses).await;
        let mut launchers = std::mem::take(&mut self.launchers);
        launchers.sort_by(|a, b| {
            let key = |it: &Launcher| (it.template.is_none(), it.name.clone(), it.number);
            key(a).cmp(&key(b))
        });
        // The default version may also be the latest.
        launchers
            .dedup_by(|a, b| a.template == b.template && a.name == b.name && a.number == b.number);
        for launcher in launchers {
            let template = self.template(launcher, &uses, &facts);
            self.keep(template);
        }
        if self.lists_templates {
            let lost = uses.lost_templates(self.region);
            lost.into_iter().for_each(|template| self.keep(template));
        }
        self.scan.defaults =
            self.defaults
                .filter(|_| self.options.include.defaults)
                .map(|defaults| RegionDefaults {
                    account: None,
                    region: self.region.to_owned(),
                    defaults,
                });
        self.scan
    }

    /// The answer, if there is one.
    fn known<T>(&mut self, answer: Result<T, CallError>) -> Option<T> {
        answer.map_err(|error| self.fail(chain(&error))).ok()
    }

    fn fail(&mut self, error: String) {
        let unreachable = Unreachable::fatal(self.region, error);
        self.scan.unreachable.push(unreachable);
    }

    fn keep(&mut self, template: ScannedTemplate) {
        let include = &self.options.include;
        let is_asked = include.templates == Some(KeptTemplates::All)
            && (self.options.keep != Keep::Violations || !template.is_compliant());
        if is_asked || !template.user_data.is_empty() {
            self.scan.templates.push(template);
        }
    }

    /// Reads the versions in use that are neither default nor latest.
    async fn read_others(&mut self, uses: &RegionUses) {
        let (client, region) = (self.client, self.region);
        let others = uses.others(&self.launchers);
        let each = others.into_iter().map(|(id, numbers)| async move {
            let answer = client.numbered_versions(region, &id, &numbers).await;
            (id, numbers, answer)
        });
        let answers: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
        for (id, numbers, answer) in answers {
            let Some(found) = self.known(answer) else {
                continue;
            };
            let template = self.templates.iter().find(|it| it.id == id);
            let lost = numbers
                .iter()
                .filter(|number| !found.iter().any(|it| it.number == Some(**number)))
                .filter_map(|number| uses.lost_version(region, template?, *number));
            let lost: Vec<ScannedTemplate> = lost.collect();
            lost.into_iter().for_each(|template| self.keep(template));
            self.launchers.extend(found);
        }
    }

    /// Finds out about the images that decide about an option.
    async fn image_facts(&mut self, uses: &RegionUses) -> ImageFacts {
        let launchers = std::mem::take(&mut self.launchers);
        let deciding: Vec<&Launcher> = launchers
            .iter()
            .filter(|launcher| self.source(launcher).depends_on_image(&self.options.policy))
            .collect();
        let aliases = self.aliases(&deciding).await;
        let images = deciding.iter().flat_map(|launcher| {
            let (first, others) = images(launcher, uses);
            others.into_iter().chain(first)
        });
        let ids: BTreeSet<&str> = images
            .map(|image| aliases.get(image).map_or(image, String::as_str))
            .filter(|id| id.starts_with("ami-"))
            .collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let answer = self.client.images_requiring_tokens(self.region, &ids).await;
        let require_tokens = self.known(answer).unwrap_or_default();
        self.launchers = launchers;
        ImageFacts {
            aliases,
            require_tokens,
        }
    }

    /// The ids of the images that are named by a parameter, one call for each parameter.
    async fn aliases(&mut self, deciding: &[&Launcher]) -> BTreeMap<String, String> {
        let (client, region) = (self.client, self.region);
        let mut named: BTreeMap<String, (String, i64)> = BTreeMap::new();
        for launcher in deciding {
            if let (Some(image), Some(id), Some(number)) =
                (&launcher.image, &launcher.template, launcher.number)
                && image.starts_with("resolve:")
            {
                named.insert(image.clone(), (id.clone(), number));
            }
        }
        let each = named.into_iter().map(|(image, (id, number))| async move {
            let answer = client.resolved_image(region, &id, number).await;
            (image, id, number, answer)
        });
        let answers: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
        let mut aliases = BTreeMap::new();
        for (image, id, number, answer) in answers {
            match answer {
                Ok(resolved) => {
                    aliases.extend(resolved.map(|resolved| (image, resolved)));
                }
                Err(error) => {
                    let (image, id) = (Plain(&image), Plain(&id));
                    let error = chain(&error);
                    self.fail(format!("image {image} of {id} version {number}: {error}"));
                }
            }
        }
        aliases
    }

    fn source<'s>(&'s self, launcher: &'s Launcher) -> LaunchSource<'s> {
        LaunchSource {
            own: &launcher.options,
            defaults: self.defaults.as_ref(),
            image: None,
            image_requires_tokens: None,
        }
    }

    /// What the launcher's next instance will be; the worst, if its users choose among several images.
    fn next(&self, launcher: &Launcher, uses: &RegionUses, facts: &ImageFacts) -> Next {
        let next = |image: Option<&str>| {
            let id = image.map(|image| facts.aliases.get(image).map_or(image, String::as_str));
            let source = LaunchSource {
                image: id,
                image_requires_tokens: id.and_then(|id| facts.require_tokens.get(id).copied()),
                ..self.source(launcher)
            };
            let next = source.next_instance(&self.options.policy);
            let by_user = image.filter(|_| image != launcher.image.as_deref());
            Next {
                compliance: next.compliance(),
                http_tokens: source.http_tokens(),
                reason: match by_user.map(Plain) {
                    Some(image) => format!("{next}, with image {image} of a user"),
                    None => next.to_string(),
                },
            }
        };
        let (first, others) = images(launcher, uses);
        let others = others.into_iter().map(|image| next(Some(image)));
        others.fold(next(first), |worst, other| {
            let is_worse = match (worst.compliance, other.compliance) {
                (_, TemplateCompliance::Compliant) | (TemplateCompliance::NonCompliant, _) => false,
                (TemplateCompliance::Compliant, _) => true,
                (TemplateCompliance::Unknown, found) => found != TemplateCompliance::Unknown,
            };
            if is_worse { other } else { worst }
        })
    }

    fn template(
        &mut self,
        launcher: Launcher,
        uses: &RegionUses,
        facts: &ImageFacts,
    ) -> ScannedTemplate {
        let next = self.next(&launcher, uses, facts);
        let users = uses.of(&launcher).map(|used| used.users.iter().cloned());
        let used_by = users.map(Iterator::collect).unwrap_or_default();
        let number = launcher.number;
        let mut all = self.templates.iter();
        let template = all.find(|it| Some(&it.id) == launcher.template.as_ref());
        let version =
            number.map(|number| template.map_or_else(|| number.to_string(), |it| it.label(number)));
        let is_default = template.is_some_and(|it| Some(it.default) == number);
        let is_latest = template.is_some_and(|it| Some(it.latest) == number);
        let required_options = self.source(&launcher).remediated(&self.options.policy);
        let (kind, id, name) = match launcher.template {
            Some(id) => (TemplateKind::LaunchTemplate, id, Some(launcher.name)),
            None => (TemplateKind::LaunchConfiguration, launcher.name, None),
        };
        ScannedTemplate {
            user_data: self.calls(launcher.user_data, kind, &id),
            account: None,
            region: self.region.to_owned(),
            kind,
            id,
            name,
            version,
            number,
            is_default,
            is_latest,
            used_by,
            options: launcher.options,
            required_options,
            compliance: next.compliance,
            http_tokens: next.http_tokens,
            reason: next.reason,
        }
    }

    fn calls(&mut self, data: Option<Vec<u8>>, kind: TemplateKind, id: &str) -> Vec<Finding> {
        let data = data.filter(|_| self.options.include.user_data);
        match data.map(|data| user_data::search(&data)).transpose() {
            Ok(findings) => findings.unwrap_or_default(),
            Err(error) => {
                let (kind, id) = (kind.as_str(), Plain(id));
                self.fail(format!("user data of {kind} {id}: {}", chain(&error)));
                Vec::new()
            }
        }
    }
}

/// What the next instance of a launcher will be.
struct Next {
    compliance: TemplateCompliance,
    http_tokens: Option<HttpTokens>,
    reason: String,
}

/// The images that are launched: the launcher's own if it names one, and those of its users.
fn images<'a>(launcher: &'a Launcher, uses: &'a RegionUses) -> (Option<&'a str>, Vec<&'a str>) {
    let own = launcher.image.as_deref();
    let used = uses.of(launcher);
    let all = used.into_iter().flat_map(|used| &used.images);
    let mut others = all.map(String::as_str).filter(|image| Some(*image) != own);
    let first = own.or_else(|| others.next());
    (first, others.collect())
}
