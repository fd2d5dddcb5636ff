//! What launches a region's next instances, and what the account gives them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join;
use imds_aws::{Client, Launcher};
use imds_core::chain::chain;
use imds_core::defaults::MetadataDefaults;
use imds_core::launcher::LaunchSource;
use imds_core::plain::Plain;
use imds_core::report::Unreachable;

use super::scanned::{RegionDefaults, ScannedTemplate, TemplateKind};
use super::{Keep, ScanOptions};
use crate::user_data;

/// What was scanned besides instances.
#[derive(Debug, Default)]
pub(super) struct AccountScan {
    pub(super) templates: Vec<ScannedTemplate>,
    pub(super) defaults: Option<RegionDefaults>,
    pub(super) unreachable: Vec<Unreachable>,
}

/// What decides about templates, besides the policy.
struct LaunchFacts {
    defaults: Option<MetadataDefaults>,
    /// Whether images require tokens, by their ids.
    images: BTreeMap<String, bool>,
}

struct AccountScanner<'a> {
    client: &'a Client,
    region: &'a str,
    options: &'a ScanOptions,
    scan: AccountScan,
}

pub(super) async fn scan(client: &Client, region: &str, options: &ScanOptions) -> AccountScan {
    let mut scanner = AccountScanner {
        client,
        region,
        options,
        scan: AccountScan::default(),
    };
    if options.include.templates || options.include.defaults {
        scanner.scan().await;
    }
    scanner.scan
}

impl AccountScanner<'_> {
    async fn scan(&mut self) {
        let (client, region) = (self.client, self.region);
        let launchers = async {
            if self.options.include.templates {
                let templates = client.launch_templates(region);
                let configurations = client.launch_configurations(region);
                Vec::from(<[_; 2]>::from(join(templates, configurations).await))
            } else {
                Vec::new()
            }
        };
        let (answers, defaults) = join(launchers, client.metadata_defaults(region)).await;
        let mut launchers = Vec::new();
        for answer in answers {
            match answer {
                Ok(found) => launchers.extend(found),
                Err(error) => self.fail(chain(&error)),
            }
        }
        let defaults = defaults.map_err(|error| self.fail(chain(&error))).ok();
        let images = self.images(&launchers).await;
        let facts = LaunchFacts { defaults, images };
        for launcher in launchers {
            let template = self.template(launcher, &facts);
            if self.options.keep != Keep::Violations || !template.is_compliant() {
                self.scan.templates.push(template);
            }
        }
        self.scan.defaults = facts
            .defaults
            .filter(|_| self.options.include.defaults)
            .map(|defaults| RegionDefaults {
                account: None,
                region: region.to_owned(),
                defaults,
            });
    }

    fn fail(&mut self, error: String) {
        let unreachable = Unreachable::fatal(self.region, error);
        self.scan.unreachable.push(unreachable);
    }

    /// Whether the images that decide about tokens require them.
    async fn images(&mut self, launchers: &[Launcher]) -> BTreeMap<String, bool> {
        let open = launchers
            .iter()
            .filter(|launcher| launcher.options.http_tokens.is_none());
        let ids: BTreeSet<&str> = open
            .filter_map(|launcher| launcher.image.as_deref())
            .filter(|id| id.starts_with("ami-"))
            .collect();
        if ids.is_empty() {
            return BTreeMap::new();
        }
        let ids: Vec<&str> = ids.into_iter().collect();
        match self.client.images_requiring_tokens(self.region, &ids).await {
            Ok(images) => images,
            Err(error) => {
                self.fail(chain(&error));
                BTreeMap::new()
            }
        }
    }

    fn template(&mut self, launcher: Launcher, facts: &LaunchFacts) -> ScannedTemplate {
        let image = launcher.image.as_deref();
        let source = LaunchSource {
            own: &launcher.options,
            defaults: facts.defaults.as_ref(),
            image,
            image_requires_tokens: image.and_then(|id| facts.images.get(id).copied()),
        };
        let next = source.next_instance(&self.options.policy);
        let (kind, id, name) = match launcher.template {
            Some(id) => (TemplateKind::LaunchTemplate, id, Some(launcher.name)),
            None => (TemplateKind::LaunchConfiguration, launcher.name, None),
        };
        let data = launcher
            .user_data
            .filter(|_| self.options.include.user_data);
        let findings = match data.map(|data| user_data::search(&data)).transpose() {
            Ok(findings) => findings.unwrap_or_default(),
            Err(error) => {
                let (kind, id) = (kind.as_str(), Plain(&id));
                self.fail(format!("user data of {kind} {id}: {}", chain(&error)));
                Vec::new()
            }
        };
        ScannedTemplate {
            account: None,
            region: self.region.to_owned(),
            kind,
            id,
            name,
            version: launcher.version,
            compliance: next.compliance(),
            reason: next.to_string(),
            user_data: findings,
        }
    }
}
