//! What a command was asked to look at.

use std::path::{Path, PathBuf};

use crate::args::{Connection, Instances, Only, Output, Regions, Required};
use crate::quote::quoted;

/// The account, the regions, the instances and the policy that a command was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The profile and the endpoint.
    pub(crate) connection: Connection,
    /// The regions.
    pub(crate) regions: Regions,
    /// The filters of instances.
    pub(crate) instances: Instances,
    /// The policy, or the hop limit.
    pub(crate) required: Required,
    /// The plan that is applied; it has a policy and instances of its own.
    pub(crate) plan: Option<PathBuf>,
    /// The keys of the tags that are shown.
    pub(crate) show_tags: Vec<String>,
    /// The instances that are listed.
    pub(crate) only: Option<Only>,
}

impl Scope {
    /// What these arguments ask for.
    pub(crate) fn new(
        connection: &Connection,
        regions: &Regions,
        instances: &Instances,
        required: &Required,
        output: &Output,
    ) -> Self {
        Scope {
            connection: connection.clone(),
            regions: regions.clone(),
            instances: instances.clone(),
            required: required.clone(),
            show_tags: output.show_tags.clone(),
            ..Scope::default()
        }
    }

    /// The options as they were typed, for commands to paste; starts with a space unless empty.
    pub(crate) fn words(&self) -> String {
        let required = &self.required;
        let hops = required.hop_limit.map(|hops| hops.to_string());
        let policy = required
            .policy
            .iter()
            .map(|path| ("--policy", path.as_path()));
        let hops = hops.iter().map(|hops| ("--hop-limit", Path::new(hops)));
        [
            self.connection.words(),
            self.region_words(),
            self.instance_words(),
            words(policy.chain(hops)),
        ]
        .concat()
    }

    /// The options of commands that evaluate nothing, as in [`Scope::words`].
    pub(crate) fn observed_words(&self) -> String {
        self.region_scope_words() + &self.instance_words()
    }

    /// The options of commands about whole regions, as in [`Scope::words`].
    pub(crate) fn region_scope_words(&self) -> String {
        self.connection.words() + &self.region_words()
    }

    /// The options of commands that enforce the same, as in [`Scope::words`].
    pub(crate) fn enforced_words(&self) -> String {
        match &self.plan {
            Some(plan) => Scope::plan_words(plan) + &self.connection.words(),
            None => self.words(),
        }
    }

    /// The options that leave regions out, as in [`Scope::words`].
    pub(crate) fn region_words(&self) -> String {
        lists([
            ("--region", self.regions.only.join(",")),
            ("--exclude-region", self.regions.exclude.join(",")),
        ])
    }

    /// The options that leave instances out, as in [`Scope::words`].
    pub(crate) fn instance_words(&self) -> String {
        let Instances { ids, tags, states } = &self.instances;
        let states = states.iter().map(|state| state.as_str());
        let ids = ids.iter().map(|id| id.as_str());
        let tags = tags.iter().map(|(key, value)| format!("{key}={value}"));
        let tags: Vec<String> = tags.collect();
        let listed = lists([
            ("--instance", ids.collect::<Vec<_>>().join(",")),
            ("--state", states.collect::<Vec<_>>().join(",")),
        ]);
        listed + &words(tags.iter().map(|tag| ("--tag", Path::new(tag))))
    }

    /// The option of a plan, as in [`Scope::words`].
    pub(crate) fn plan_words(plan: &Path) -> String {
        words([("--plan", plan)].into_iter())
    }
}

fn lists(lists: [(&str, String); 2]) -> String {
    let given = lists.iter().filter(|(_, list)| !list.is_empty());
    words(given.map(|(option, list)| (*option, Path::new(list))))
}

fn words<'a>(options: impl Iterator<Item = (&'a str, &'a Path)>) -> String {
    options
        .map(|(option, value)| format!(" {option} {}", quoted(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn the_words_of_a_scope_mean_the_same_when_they_are_pasted() {
        let typed = "imdsctl scan --profile 'a b' --endpoint-url http://localhost:5000 \
                     --region eu-central-1,eu-west-1 --exclude-region eu-west-1 \
                     --instance i-0e3a5b1c9d8f70642 --state running --tag 'app=web *' --tag team=a \
                     --hop-limit 2";
        assert_eq!(format!("imdsctl scan{}", scope(typed).words()), typed);
        let policy = "imdsctl scan --policy 'our policy.json'";
        assert_eq!(format!("imdsctl scan{}", scope(policy).words()), policy);
        assert_eq!(scope("imdsctl scan").words(), "");
    }

    /// Splits at spaces outside of quotes.
    fn scope(typed: &str) -> Scope {
        let parts = typed.split('\'').enumerate();
        let words = parts.flat_map(|(n, part)| match n % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        let cli = Cli::parse_from(words);
        let Command::Scan(args) = cli.command else {
            panic!("{typed} is no scan");
        };
        args.scope(&cli.connection)
    }
}
