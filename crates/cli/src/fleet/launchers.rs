//! What launches a region's next instances, and what the account gives them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join;
use imds_aws::{Client, Launcher};
use imds_core::chain::chain;
use imds_core::defaults::MetadataDefaults;
use imds_core::launcher::judge;
use imds_core::plain::Plain;
use imds_core::report::Unseen;

use super::Wishes;
use crate::document::{DefaultsRow, TemplateRow};
use crate::user_data;

/// What was asked beside the instances.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) templates: Vec<TemplateRow>,
    pub(super) defaults: Option<DefaultsRow>,
    pub(super) unseen: Vec<Unseen>,
}

pub(super) async fn look(client: &Client, region: &str, wishes: &Wishes) -> Account {
    let mut account = Account::default();
    if !wishes.templates && !wishes.defaults {
        return account;
    }
    let launchers = async {
        if wishes.templates {
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
            Err(error) => account.unseen.push(Unseen::expected(region, chain(&error))),
        }
    }
    let defaults = match defaults {
        Ok(defaults) => Some(defaults),
        Err(error) => {
            account.unseen.push(Unseen::expected(region, chain(&error)));
            None
        }
    };
    let images = images(client, region, &launchers, &mut account.unseen).await;
    account.templates = launchers
        .into_iter()
        .map(|launcher| {
            row(
                region,
                launcher,
                defaults.as_ref(),
                &images,
                wishes,
                &mut account.unseen,
            )
        })
        .collect();
    if wishes.only_violations {
        account.templates.retain(|row| row.verdict != "required");
    }
    account.defaults = defaults
        .filter(|_| wishes.defaults)
        .map(|defaults| defaults_row(region, defaults));
    account
}

/// Asked only of those that decide.
async fn images(
    client: &Client,
    region: &str,
    launchers: &[Launcher],
    unseen: &mut Vec<Unseen>,
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
    match client.images_demanding_tokens(region, &ids).await {
        Ok(images) => images,
        Err(error) => {
            unseen.push(Unseen::expected(region, chain(&error)));
            BTreeMap::new()
        }
    }
}

fn row(
    region: &str,
    launcher: Launcher,
    defaults: Option<&MetadataDefaults>,
    images: &BTreeMap<String, bool>,
    wishes: &Wishes,
    unseen: &mut Vec<Unseen>,
) -> TemplateRow {
    let image = launcher.image.as_deref();
    let demands_tokens = image.and_then(|id| images.get(id).copied());
    let next = judge(
        &wishes.policy,
        &launcher.options,
        defaults,
        image,
        demands_tokens,
        wishes.now,
    );
    let data = launcher.user_data.filter(|_| wishes.user_data);
    let (kind, id, name) = match launcher.template {
        Some(id) => ("launch template", id, Some(launcher.name)),
        None => ("launch configuration", launcher.name, None),
    };
    let findings = data.map(|data| user_data::search(&data)).transpose();
    let findings = findings.unwrap_or_else(|error| {
        let why = format!("user data of {kind} {}: {}", Plain(&id), chain(&error));
        unseen.push(Unseen::expected(region, why));
        None
    });
    TemplateRow {
        region: region.to_owned(),
        kind,
        id,
        name,
        version: launcher.version,
        verdict: next.as_str(),
        because: next.to_string(),
        user_data: findings.unwrap_or_default(),
    }
}

/// As it is shown.
pub(crate) fn defaults_row(region: &str, defaults: MetadataDefaults) -> DefaultsRow {
    let word = |toggle: imds_core::instance::Toggle| toggle.to_string();
    DefaultsRow {
        region: region.to_owned(),
        http_tokens: defaults.http_tokens.map(|tokens| tokens.to_string()),
        hop_limit: defaults.hop_limit.map(u8::from),
        http_endpoint: defaults.http_endpoint.map(word),
        instance_metadata_tags: defaults.instance_metadata_tags.map(word),
        http_tokens_enforced: defaults.http_tokens_enforced.map(word),
        managed_by: defaults.managed_by,
    }
}
