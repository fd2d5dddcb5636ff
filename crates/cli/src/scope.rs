//! What a command was asked to look at.

use std::path::Path;

use crate::args::{Connection, Instances, Regions, Required};
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
}

impl Scope {
    /// The options as they were typed, for commands to paste; starts with a space unless empty.
    pub(crate) fn words(&self) -> String {
        let (instances, required) = (&self.instances, &self.required);
        let tags = instances
            .tags
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let states = instances.states.iter().map(|state| state.as_str());
        let ids = instances.ids.iter().map(|id| id.as_str());
        let hops = required.hop_limit.map(|hops| hops.to_string());
        let mut words = self.connection.words();
        let mut add = |option: &str, value: &Path| {
            words.extend([" ", option, " ", &quoted(value)]);
        };
        let lists = [
            ("--region", self.regions.only.join(",")),
            ("--exclude-region", self.regions.exclude.join(",")),
            ("--instance", ids.collect::<Vec<_>>().join(",")),
            ("--state", states.collect::<Vec<_>>().join(",")),
        ];
        for (option, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            add(option, Path::new(list));
        }
        for tag in tags {
            add("--tag", Path::new(&tag));
        }
        if let Some(policy) = &required.policy {
            add("--policy", policy);
        }
        if let Some(hops) = hops {
            add("--hop-limit", Path::new(&hops));
        }
        words
    }
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
