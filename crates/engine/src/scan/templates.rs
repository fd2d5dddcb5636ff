//! What launches a region's next instances, and what the account gives them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join;
use imds_aws::{Client, Launcher};
use imds_core::chain::chain;
use imds_core::defaults::MetadataDefaults;
use imds_core::launcher::{LaunchSource, TemplateCompliance};
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

pub(super) async fn scan(client: &Client, region: &str, options: &ScanOptions) -> AccountScan {
    let mut scan = AccountScan::default();
    let include = options.include;
    if !include.templates && !include.defaults {
        return scan;
    }
    let launchers = async {
        if include.templates {
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
            Err(error) => scan.fail(region, chain(&error)),
        }
    }
    let defaults = match defaults {
        Ok(defaults) => Some(defaults),
        Err(error) => {
            scan.fail(region, chain(&error));
            None
        }
    };
    let images = scan.images(client, region, &launchers).await;
    for launcher in launchers {
        let template = scan.template(region, launcher, defaults.as_ref(), &images, options);
        let is_compliant = template.compliance == TemplateCompliance::Compliant;
        if options.keep != Keep::Violations || !is_compliant {
            scan.templates.push(template);
        }
    }
    scan.defaults = defaults
        .filter(|_| include.defaults)
        .map(|defaults| RegionDefaults {
            region: region.to_owned(),
            defaults,
        });
    scan
}

impl AccountScan {
    fn fail(&mut self, region: &str, error: String) {
        self.unreachable.push(Unreachable::fatal(region, error));
    }

    /// Whether the images that decide about tokens require them.
    async fn images(
        &mut self,
        client: &Client,
        region: &str,
        launchers: &[Launcher],
    ) -> BTreeMap<String, bool> {
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
        match client.images_requiring_tokens(region, &ids).await {
            Ok(images) => images,
            Err(error) => {
                self.fail(region, chain(&error));
                BTreeMap::new()
            }
        }
    }

    fn template(
        &mut self,
        region: &str,
        launcher: Launcher,
        defaults: Option<&MetadataDefaults>,
        images: &BTreeMap<String, bool>,
        options: &ScanOptions,
    ) -> ScannedTemplate {
        let image = launcher.image.as_deref();
        let source = LaunchSource {
            own: &launcher.options,
            defaults,
            image,
            image_requires_tokens: image.and_then(|id| images.get(id).copied()),
        };
        let next = source.next_instance(&options.policy);
        let (kind, id, name) = match launcher.template {
            Some(id) => (TemplateKind::LaunchTemplate, id, Some(launcher.name)),
            None => (TemplateKind::LaunchConfiguration, launcher.name, None),
        };
        let data = launcher.user_data.filter(|_| options.include.user_data);
        let findings = match data.map(|data| user_data::search(&data)).transpose() {
            Ok(findings) => findings.unwrap_or_default(),
            Err(error) => {
                let (kind, id) = (kind.as_str(), Plain(&id));
                self.fail(
                    region,
                    format!("user data of {kind} {id}: {}", chain(&error)),
                );
                Vec::new()
            }
        };
        ScannedTemplate {
            region: region.to_owned(),
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
