//! The function's configuration, read once at start.

use std::fmt;

use imds_aws::{
    BundleError, CaBundle, Client, EnvironmentCredentials, SettingErrors, StateTable,
    TableNameError, environment,
};
use imds_core::chain::chain;
use imds_core::policy::{Policy, PolicyFaults};

use crate::log::{self, LogFilterError};

/// The configuration of the function.
pub(crate) struct Config {
    pub(crate) policy: PolicySource,
    pub(crate) client: Client,
    /// What is kept from one invocation to the next; `None`: nothing.
    pub(crate) table: Option<StateTable>,
    /// The ARN of the function's role, by which it recognises its own changes.
    pub(crate) role: Option<String>,
    /// The function's region.
    pub(crate) region: String,
    /// The CloudWatch namespace of its metrics.
    pub(crate) namespace: String,
}

/// Where the policy is.
pub(crate) enum PolicySource {
    /// It is read.
    Read(Policy),
    /// In the state table, by the SHA-256 of its document in hexadecimal.
    InTable(String),
}

/// Why the function cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error(
        "no policy: set `IMDS_POLICY` (the document), `IMDS_POLICY_FILE` (a path) or \
         `IMDS_POLICY_SHA256` (in the state table)"
    )]
    NoPolicy,
    #[error("several policies: set only one of {}", .0.join(", "))]
    SeveralPolicies(Vec<String>),
    #[error("`IMDS_POLICY_SHA256` is `{0}`: expected 64 hexadecimal digits in lower case")]
    PolicyHash(String),
    #[error(
        "`IMDS_POLICY_SHA256` names a policy in the state table, and `IMDS_STATE_TABLE` is not set"
    )]
    PolicyWithoutTable,
    #[error(
        "the policy can stop or terminate instances, which are counted in the state table, and \
         `IMDS_STATE_TABLE` is not set"
    )]
    DisruptsWithoutTable,
    #[error("could not use `IMDS_STATE_TABLE`")]
    Table(#[source] TableNameError),
    #[error("could not read the policy from `IMDS_POLICY_FILE` `{path}`")]
    File {
        path: String,
        source: std::io::Error,
    },
    #[error("the policy in `{variable}` is not valid")]
    Policy {
        variable: &'static str,
        source: PolicyFaults,
    },
    #[error("could not read the certificates from `AWS_CA_BUNDLE` `{path}`")]
    CaBundleFile {
        path: String,
        source: std::io::Error,
    },
    #[error("could not use the certificates in `AWS_CA_BUNDLE` `{path}`")]
    CaBundle { path: String, source: BundleError },
    #[error("no {what}: `{name}` is not set")]
    NotSet {
        what: &'static str,
        name: &'static str,
    },
    #[error(transparent)]
    LogFilter(#[from] LogFilterError),
    #[error(transparent)]
    Settings(#[from] SettingErrors),
}

/// All errors of the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) struct ConfigErrors(pub(crate) Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors: Vec<String> = self.0.iter().map(|error| chain(error)).collect();
        f.write_str(&errors.join("; "))
    }
}

impl Config {
    /// Reads the configuration from environment variables.
    ///
    /// # Errors
    /// All missing and invalid variables, in one error.
    pub(crate) fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let given = |name: &str| var(name).filter(|value| !value.is_empty());
        let mut errors = Vec::new();
        let policy = keep(&mut errors, policy(given));
        let region = given("AWS_REGION").unwrap_or_default();
        let table = keep(&mut errors, table(given, &region));
        if let (Some(policy), Some(None)) = (&policy, &table) {
            errors.extend(without_table(policy));
        }
        // Lambda passes the role's credentials in variables, which stay valid while the process runs.
        for (what, name) in [
            ("credentials", "AWS_ACCESS_KEY_ID"),
            ("credentials", "AWS_SECRET_ACCESS_KEY"),
            ("region", "AWS_REGION"),
        ] {
            if given(name).is_none() {
                errors.push(ConfigError::NotSet { what, name });
            }
        }
        let ca_bundle = keep(&mut errors, ca_bundle(given));
        let config = keep(&mut errors, environment(&var).map_err(ConfigError::from));
        keep(&mut errors, log::filter(given).map_err(ConfigError::from));
        match (policy, table, ca_bundle, config) {
            (Some(policy), Some(table), Some(ca_bundle), Some(config)) if errors.is_empty() => {
                Ok(Config {
                    policy,
                    client: Client::new(&config, EnvironmentCredentials::new(), ca_bundle),
                    table,
                    role: given("IMDS_ROLE_ARN"),
                    region,
                    namespace: namespace(given("AWS_LAMBDA_FUNCTION_NAME")),
                })
            }
            _ => Err(ConfigErrors(errors)),
        }
    }
}

fn keep<T>(errors: &mut Vec<ConfigError>, read: Result<T, ConfigError>) -> Option<T> {
    read.map_err(|error| errors.push(error)).ok()
}

fn policy(given: impl Fn(&str) -> Option<String>) -> Result<PolicySource, ConfigError> {
    let variables = ["IMDS_POLICY", "IMDS_POLICY_FILE", "IMDS_POLICY_SHA256"];
    let set = variables.map(|name| given(name).map(|value| (name, value)));
    let mut set: Vec<(&'static str, String)> = set.into_iter().flatten().collect();
    let (Some((variable, value)), true) = (set.pop(), set.is_empty()) else {
        let names = variables.into_iter().filter(|name| given(name).is_some());
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        return Err(match names.is_empty() {
            true => ConfigError::NoPolicy,
            false => ConfigError::SeveralPolicies(names),
        });
    };
    let text = match variable {
        "IMDS_POLICY_SHA256" => return policy_hash(value).map(PolicySource::InTable),
        "IMDS_POLICY_FILE" => std::fs::read_to_string(&value).map_err(|source| {
            let path = value;
            ConfigError::File { path, source }
        })?,
        _ => value,
    };
    let policy = Policy::parse(&text);
    let policy = policy.map_err(|source| ConfigError::Policy { variable, source });
    policy.map(PolicySource::Read)
}

fn policy_hash(value: String) -> Result<String, ConfigError> {
    let is_hex = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    if value.len() == 64 && value.bytes().all(is_hex) {
        Ok(value)
    } else {
        Err(ConfigError::PolicyHash(value))
    }
}

fn table(
    given: impl Fn(&str) -> Option<String>,
    region: &str,
) -> Result<Option<StateTable>, ConfigError> {
    let Some(name) = given("IMDS_STATE_TABLE") else {
        return Ok(None);
    };
    // A region that is not set is an error of its own.
    let region = if region.is_empty() { "-" } else { region };
    let table = StateTable::new(&name, region).map_err(ConfigError::Table);
    table.map(Some)
}

/// Why a policy cannot be served without a state table.
fn without_table(policy: &PolicySource) -> Option<ConfigError> {
    match policy {
        PolicySource::InTable(_) => Some(ConfigError::PolicyWithoutTable),
        PolicySource::Read(policy) => policy
            .may_disrupt()
            .then_some(ConfigError::DisruptsWithoutTable),
    }
}

/// Two guards in one account do not share their metrics.
fn namespace(function: Option<String>) -> String {
    let function = function.map(|name| format!("/{name}"));
    format!("ImdsEnforcer{}", function.unwrap_or_default())
}

fn ca_bundle(given: impl Fn(&str) -> Option<String>) -> Result<Option<CaBundle>, ConfigError> {
    let Some(path) = given("AWS_CA_BUNDLE") else {
        return Ok(None);
    };
    match std::fs::read(&path) {
        Ok(pem) => CaBundle::parse(pem)
            .map(Some)
            .map_err(|source| ConfigError::CaBundle { path, source }),
        Err(source) => Err(ConfigError::CaBundleFile { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str =
        r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "enforce"}"#;
    const KEYS: [(&str, &str); 3] = [
        ("AWS_REGION", "eu-central-1"),
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
            "set only one of `IMDS_POLICY`, `IMDS_POLICY_FILE`",
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
                r#"{"version": 1, "on_violation": "enforce", "require": {"hop_limit": 3}}"#,
            )],
            "$.require.hop_limit",
        );
    }

    #[test]
    fn all_errors_are_reported_together() {
        let vars = [
            ("AWS_REGION", ""),
            ("AWS_USE_FIPS_ENDPOINT", "yes"),
            ("AWS_MAX_ATTEMPTS", "0"),
            ("RUST_LOG", "enforcer=loud"),
            ("AWS_CA_BUNDLE", "/no/such/file"),
        ];
        for expected in [
            "no policy",
            "no region: `AWS_REGION` is not set",
            "`/no/such/file`",
            "`AWS_USE_FIPS_ENDPOINT` is `yes`: expected `true` or `false`",
            "`AWS_MAX_ATTEMPTS` is `0`",
            "`RUST_LOG` is `enforcer=loud`",
        ] {
            refused(&vars, expected);
        }
    }

    #[test]
    fn missing_credentials_are_refused_by_name() {
        refused(
            &[("IMDS_POLICY", POLICY), ("AWS_ACCESS_KEY_ID", "")],
            "`AWS_ACCESS_KEY_ID` is not set",
        );
    }
}
