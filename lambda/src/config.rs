//! The function's configuration, read once at start.

use imds_aws::{
    BundleError, CaBundle, Client, EnvironmentCredentials, SettingError, Settings, environment,
};
use imds_core::policy::{Faults, Policy};

/// What the function needs to know.
pub(crate) struct Config {
    pub(crate) policy: Policy,
    pub(crate) client: Client,
    /// The function's own name, which is also the name of its role's sessions.
    pub(crate) function: Option<String>,
    /// The function's own region.
    pub(crate) region: String,
}

/// A function that cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("no policy: set `IMDS_POLICY` (the document) or `IMDS_POLICY_FILE` (a path)")]
    NoPolicy,
    #[error("two policies: set `IMDS_POLICY` or `IMDS_POLICY_FILE`, not both")]
    TwoPolicies,
    #[error("could not read the policy from `IMDS_POLICY_FILE` `{path}`")]
    File {
        path: String,
        source: std::io::Error,
    },
    #[error("the policy in `{variable}` is refused")]
    Policy {
        variable: &'static str,
        source: Faults,
    },
    #[error("could not read the certificates from `AWS_CA_BUNDLE` `{path}`")]
    CaBundleFile {
        path: String,
        source: std::io::Error,
    },
    #[error("could not use the certificates in `AWS_CA_BUNDLE` `{path}`")]
    CaBundle { path: String, source: BundleError },
    #[error("no credentials: `{0}` is not set")]
    Credentials(&'static str),
    #[error(transparent)]
    Setting(#[from] SettingError),
}

impl Config {
    pub(crate) fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let given = |name: &str| var(name).filter(|value| !value.is_empty());
        let (variable, text) = match (given("IMDS_POLICY"), given("IMDS_POLICY_FILE")) {
            (Some(text), None) => ("IMDS_POLICY", text),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => ("IMDS_POLICY_FILE", text),
                Err(source) => return Err(ConfigError::File { path, source }),
            },
            (None, None) => return Err(ConfigError::NoPolicy),
            (Some(_), Some(_)) => return Err(ConfigError::TwoPolicies),
        };
        let policy =
            Policy::parse(&text).map_err(|source| ConfigError::Policy { variable, source })?;
        // Lambda hands the role's credentials over in variables, for the life of the process.
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            given(name).ok_or(ConfigError::Credentials(name))?;
        }
        let ca_bundle = match given("AWS_CA_BUNDLE") {
            Some(path) => match std::fs::read(&path) {
                Ok(pem) => Some(
                    CaBundle::parse(pem)
                        .map_err(|source| ConfigError::CaBundle { path, source })?,
                ),
                Err(source) => return Err(ConfigError::CaBundleFile { path, source }),
            },
            None => None,
        };
        let settings = Settings {
            ca_bundle,
            ..Settings::default()
        };
        let client = Client::new(&environment(&var)?, EnvironmentCredentials::new(), settings);
        Ok(Config {
            policy,
            client,
            function: given("AWS_LAMBDA_FUNCTION_NAME"),
            region: given("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"require": {"http_tokens": "required"}, "on_violation": "enforce"}"#;
    const KEYS: [(&str, &str); 2] = [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];

    #[track_caller]
    fn refused(vars: &[(&str, &str)], expected: &str) {
        let vars: Vec<_> = KEYS.iter().chain(vars).collect();
        let var = |name: &str| {
            vars.iter()
                .rev()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        match Config::from_vars(var) {
            Ok(_) => panic!("accepted"),
            Err(error) => {
                let chain = imds_core::chain::chain(&error);
                assert!(chain.contains(expected), "{chain}");
            }
        }
    }

    #[test]
    fn no_policy_is_refused() {
        refused(&[], "no policy: set `IMDS_POLICY`");
    }

    #[test]
    fn two_policies_are_refused() {
        refused(
            &[
                ("IMDS_POLICY", POLICY),
                ("IMDS_POLICY_FILE", "/policy.json"),
            ],
            "not both",
        );
    }

    #[test]
    fn a_policy_file_that_is_not_there_is_refused_with_its_path() {
        refused(
            &[("IMDS_POLICY_FILE", "/no/such/file")],
            "`/no/such/file`: No such file",
        );
    }

    #[test]
    fn a_ca_bundle_that_is_not_there_is_refused_with_its_path() {
        refused(
            &[("IMDS_POLICY", POLICY), ("AWS_CA_BUNDLE", "/no/such/file")],
            "from `AWS_CA_BUNDLE` `/no/such/file`: No such file",
        );
    }

    #[test]
    fn a_ca_bundle_without_certificates_is_refused_with_its_path() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        refused(
            &[("IMDS_POLICY", POLICY), ("AWS_CA_BUNDLE", manifest)],
            "Cargo.toml`: it has no certificate in PEM",
        );
    }

    #[test]
    fn a_bad_policy_is_refused_with_the_path_of_the_fault() {
        refused(
            &[(
                "IMDS_POLICY",
                r#"{"on_violation": "enforce", "require": {"hop_limit": 3}}"#,
            )],
            "$.require.hop_limit",
        );
    }

    #[test]
    fn missing_credentials_are_refused_by_name() {
        refused(
            &[("IMDS_POLICY", POLICY), ("AWS_ACCESS_KEY_ID", "")],
            "`AWS_ACCESS_KEY_ID` is not set",
        );
    }
}
