//! Which launch templates and configurations are in use, and by what.

use std::collections::{BTreeMap, BTreeSet};

use imds_aws::Launcher;
use imds_core::launcher::NextInstance;
use imds_core::launcher_use::{LaunchTemplateSummary, LauncherUse, LauncherUser, UsedLauncher};
use imds_core::options::MetadataOptions;

use super::scanned::{ScannedTemplate, TemplateKind};

/// How many instances were launched from a version, by the template's id and the version's number.
pub(super) type LaunchedVersions = BTreeMap<(String, i64), usize>;

/// A version of a launch template, or a launch configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LauncherKey {
    /// The template's id and the version's number.
    Version(String, i64),
    /// The configuration's name.
    Configuration(String),
}

impl LauncherKey {
    pub(super) fn of(launcher: &Launcher) -> Self {
        match (&launcher.template, launcher.number) {
            (Some(id), Some(number)) => LauncherKey::Version(id.clone(), number),
            _ => LauncherKey::Configuration(launcher.name.clone()),
        }
    }
}

/// What uses a launcher.
#[derive(Debug, Default)]
pub(super) struct UsedBy {
    pub(super) users: BTreeSet<LauncherUser>,
    /// The images that are launched instead of the launcher's.
    pub(super) images: BTreeSet<String>,
}

/// What is in use in a region.
#[derive(Debug, Default)]
pub(super) struct RegionUses {
    launchers: BTreeMap<LauncherKey, UsedBy>,
    /// What uses templates that do not exist, by the template's id or name, and the version.
    lost: BTreeMap<(String, String), BTreeSet<LauncherUser>>,
}

impl RegionUses {
    pub(super) fn new(
        templates: &[LaunchTemplateSummary],
        uses: Vec<LauncherUse>,
        launched: LaunchedVersions,
    ) -> Self {
        let mut found = RegionUses::default();
        for one in uses {
            found.add(templates, one);
        }
        let launched = launched.into_iter();
        // Nothing is launched any more from a template that was deleted.
        for ((id, number), count) in
            launched.filter(|((id, _), _)| templates.iter().any(|it| it.id == *id))
        {
            let used = found.launchers.entry(LauncherKey::Version(id, number));
            used.or_default()
                .users
                .insert(LauncherUser::Instances { count });
        }
        found
    }

    fn add(&mut self, templates: &[LaunchTemplateSummary], one: LauncherUse) {
        let key = match one.launcher {
            UsedLauncher::Configuration(name) => LauncherKey::Configuration(name),
            UsedLauncher::Template { id, name, version } => {
                let mut all = templates.iter();
                let template = all.find(|it| it.is(id.as_deref(), name.as_deref()));
                let number = template.and_then(|it| it.number(version.as_deref()));
                match (template, number) {
                    (Some(template), Some(number)) => {
                        LauncherKey::Version(template.id.clone(), number)
                    }
                    _ => {
                        let named = id.or(name).unwrap_or_default();
                        let lost = self.lost.entry((named, version.unwrap_or_default()));
                        lost.or_default().insert(one.user);
                        return;
                    }
                }
            }
        };
        let used = self.launchers.entry(key).or_default();
        used.users.insert(one.user);
        used.images.extend(one.image);
    }

    pub(super) fn of(&self, launcher: &Launcher) -> Option<&UsedBy> {
        self.launchers.get(&LauncherKey::of(launcher))
    }

    /// The versions in use that are not among these, by template.
    pub(super) fn others(&self, known: &[Launcher]) -> BTreeMap<String, Vec<i64>> {
        let known: BTreeSet<LauncherKey> = known.iter().map(LauncherKey::of).collect();
        let mut others: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for key in self.launchers.keys().filter(|key| !known.contains(key)) {
            if let LauncherKey::Version(id, number) = key {
                others.entry(id.clone()).or_default().push(*number);
            }
        }
        others
    }

    /// The version of this template that does not exist, if something but instances uses it.
    pub(super) fn lost_version(
        &self,
        region: &str,
        template: &LaunchTemplateSummary,
        number: i64,
    ) -> Option<ScannedTemplate> {
        let key = LauncherKey::Version(template.id.clone(), number);
        let users = &self.launchers.get(&key)?.users;
        let launches = |user: &LauncherUser| !matches!(user, LauncherUser::Instances { .. });
        users.iter().any(launches).then(|| ScannedTemplate {
            name: Some(template.name.clone()),
            ..lost(region, &template.id, &number.to_string(), users)
        })
    }

    /// The templates that do not exist, although something uses them.
    pub(super) fn lost_templates(&self, region: &str) -> Vec<ScannedTemplate> {
        let all = self.lost.iter();
        all.map(|((id, version), users)| lost(region, id, version, users))
            .collect()
    }
}

fn lost(region: &str, id: &str, version: &str, users: &BTreeSet<LauncherUser>) -> ScannedTemplate {
    let next = NextInstance::NoSuchVersion;
    ScannedTemplate {
        account: None,
        region: region.to_owned(),
        kind: TemplateKind::LaunchTemplate,
        id: id.to_owned(),
        name: None,
        version: Some(version.to_owned()).filter(|version| !version.is_empty()),
        number: None,
        is_default: false,
        is_latest: false,
        used_by: users.iter().cloned().collect(),
        options: MetadataOptions::default(),
        required_options: MetadataOptions::default(),
        compliance: next.compliance(),
        http_tokens: None,
        reason: next.to_string(),
        user_data: Vec::new(),
    }
}
