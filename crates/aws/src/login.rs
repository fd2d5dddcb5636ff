//! Credentials, region and endpoint as the AWS CLI finds them.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::{self, ProfileFileCredentialsProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use imds_core::chain::chain;
use jiff::SignedDuration;

use crate::assume_role::{AskMfaCode, RoleError, RoleLogin};
use crate::attempt_log::OnAttempt;
use crate::client::Client;
use crate::environment::{SettingErrors, SharedSettings};
use crate::halt::{Halt, within};
use crate::role_chain::RoleChain;
use crate::trust::{CaBundle, Https, Roots};

/// What the caller chooses; the rest comes from the environment and the AWS CLI's files.
#[derive(Clone, Default)]
pub struct LoginOptions {
    /// The name of a profile; it takes precedence over credentials in the environment.
    pub profile: Option<String>,
    /// The region to start with.
    pub region: Option<String>,
    /// The endpoint of all services.
    pub endpoint_url: Option<String>,
    /// The time for loading credentials, and again for all calls of the client.
    pub time_limit: Option<SignedDuration>,
    /// Is told of the client's HTTP requests.
    pub on_attempt: Option<OnAttempt>,
    /// Asks for MFA codes; `None` if nobody can be asked.
    pub ask_mfa_code: Option<AskMfaCode>,
}

/// A client, and the region to start with.
#[derive(Debug)]
pub struct Login {
    /// A client whose credentials could be loaded.
    pub client: Client,
    /// The region to start with.
    pub region: String,
    /// The region of the environment or the profile, whatever the caller chooses; without one, the same.
    pub home: String,
}

/// Why there is no client, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No provider has credentials.
    #[error(
        "no credentials: run `aws configure` or `aws sso login`, choose a profile with `--profile`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials,
    /// The profile is not in the AWS CLI's files.
    #[error(
        "there is no profile `{0}` with credentials: `aws configure list-profiles` lists the profiles"
    )]
    NoProfile(String),
    /// The SSO session has expired, or was never started on this machine.
    #[error("the SSO session has expired or does not exist: run `aws sso login{of}`")]
    NoSsoSession {
        /// ` --profile NAME` if a profile was given, else empty.
        of: String,
        /// What the SDK says.
        source: CredentialsError,
    },
    /// Settings have values that cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingErrors),
    /// No region is configured.
    #[error(
        "no region: name one with `--region`, set AWS_REGION, or run `aws configure set region REGION`"
    )]
    NoRegion,
    /// They could not be loaded in time.
    #[error("could not load credentials: {0}")]
    Late(Halt),
    /// The roles of the profile could not be assumed.
    #[error(transparent)]
    Role(RoleError),
    /// Anything else.
    #[error("could not load credentials{of}: check the profile in ~/.aws/config")]
    Unusable {
        /// ` of profile NAME` if a profile was given, else empty.
        of: String,
        /// What the SDK says.
        source: CredentialsError,
    },
}

/// Finds credentials, region and endpoint, and proves that there are credentials.
///
/// # Errors
/// If there are no credentials or no region, or if a setting is invalid; the message names the next
/// step.
pub async fn login(
    options: &LoginOptions,
    ca_bundle: Option<CaBundle>,
    var: impl Fn(&str) -> Option<String>,
) -> Result<Login, LoginError> {
    let http = Https::new(match &ca_bundle {
        Some(bundle) => Roots::Bundle(bundle.clone()),
        None => Roots::System,
    });
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .no_credentials();
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    // The loader would panic on a value that it cannot use.
    let profile = options.profile.clone().map(Cow::Owned);
    let files = EnvConfigFiles::default();
    let profiles = profile::load(&Fs::real(), &Env::real(), &files, profile).await;
    let settings = SharedSettings::read(|name, key| {
        let of_profile = || profiles.as_ref().ok()?.get(key).map(str::to_owned);
        var(name)
            .filter(|value| !value.is_empty())
            .or_else(of_profile)
    })?;
    let config = loader.retry_config(settings.retries).load().await;
    let mut variables = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter();
    let configured = variables.find_map(|name| var(name).filter(|region| !region.is_empty()));
    let of_profile = || profiles.as_ref().ok()?.get("region").map(str::to_owned);
    let configured = configured.or_else(of_profile);
    let region = config.region().map(ToString::to_string);
    // Some providers call a service themselves, and need a region for it.
    let home_region = region.as_deref().unwrap_or("us-east-1");
    let client = |credentials| new_client(options, &config, ca_bundle.clone(), credentials);
    let providers = ProviderConfig::without_region()
        .with_region(Some(Region::new(home_region.to_owned())))
        .with_http_client(http);
    let chosen = options.profile.clone().or_else(|| var("AWS_PROFILE"));
    let chain = profiles.ok().and_then(|profiles| {
        let has_keys = var("AWS_ACCESS_KEY_ID").is_some_and(|key| !key.is_empty());
        let is_used = options.profile.is_some() || !has_keys;
        is_used.then(|| RoleChain::with_mfa(&profiles, profiles.selected_profile()))?
    });
    let credentials = match chain {
        Some(chain) => {
            let roles = RoleLogin {
                ask: options.ask_mfa_code.as_ref(),
                providers: &providers,
                region: home_region,
                home: var("HOME")
                    .or_else(|| var("USERPROFILE"))
                    .map(PathBuf::from),
                time_limit: options.time_limit,
                client: &client,
            };
            SharedCredentialsProvider::new(roles.session(chain).await.map_err(of_role)?)
        }
        None => provider(options, providers, home_region).await,
    };
    // Fail here, where the error can be explained, rather than in every call.
    let loaded = within(options.time_limit, credentials.provide_credentials()).await;
    let loaded = loaded.map_err(LoginError::Late)?;
    loaded.map_err(|error| explained(error, chosen.as_deref()))?;
    let region = region.ok_or(LoginError::NoRegion)?;
    Ok(Login {
        client: client(credentials),
        home: configured.unwrap_or_else(|| region.clone()),
        region,
    })
}

fn new_client(
    options: &LoginOptions,
    config: &SdkConfig,
    ca_bundle: Option<CaBundle>,
    credentials: SharedCredentialsProvider,
) -> Client {
    let client = Client::new(config, credentials, ca_bundle);
    if let Some(limit) = options.time_limit {
        client.limit_time(limit);
    }
    match &options.on_attempt {
        Some(on_attempt) => client.with_log(Arc::clone(on_attempt)),
        None => client,
    }
}

fn of_role(error: RoleError) -> LoginError {
    match error {
        RoleError::Source { profile, source } => explained(source, profile.as_deref()),
        RoleError::Late(halt) => LoginError::Late(halt),
        error => LoginError::Role(error),
    }
}

async fn provider(
    options: &LoginOptions,
    config: ProviderConfig,
    region: &str,
) -> SharedCredentialsProvider {
    match &options.profile {
        // As in the AWS CLI, a named profile takes precedence over credentials in the environment.
        Some(profile) => SharedCredentialsProvider::new(
            ProfileFileCredentialsProvider::builder()
                .configure(&config)
                .profile_name(profile)
                .build(),
        ),
        None => SharedCredentialsProvider::new(
            DefaultCredentialsChain::builder()
                .configure(config)
                .region(Region::new(region.to_owned()))
                .build()
                .await,
        ),
    }
}

fn explained(error: CredentialsError, profile: Option<&str>) -> LoginError {
    let words = chain(&error).to_lowercase();
    let of = |word: &str| profile.map_or_else(String::new, |name| format!("{word}{name}"));
    // Only the SSO portal rejects calls with this code. A token that was cached without a
    // session name is used regardless of its age.
    let refused = words.contains("unauthorizedexception");
    let of_sso = ["token", "expired", "cache"];
    if refused || words.contains("sso") && of_sso.iter().any(|word| words.contains(word)) {
        let of = of(" --profile ");
        return LoginError::NoSsoSession { of, source: error };
    }
    match (&error, profile) {
        (CredentialsError::CredentialsNotLoaded(_), Some(name)) => {
            LoginError::NoProfile(name.to_owned())
        }
        (CredentialsError::CredentialsNotLoaded(_), None) => LoginError::NoCredentials,
        // Outside EC2 there is no metadata service, or another service answers at its address.
        (_, None) if words.contains("imds") => LoginError::NoCredentials,
        _ => LoginError::Unusable {
            of: of(" of profile "),
            source: error,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: CredentialsError, profile: Option<&str>, expected: &str) {
        assert_eq!(explained(error, profile).to_string(), expected);
    }

    #[test]
    fn an_sso_session_that_is_missing_is_distinguished_from_other_errors() {
        for words in [
            "the SSO token has expired and cannot be refreshed",
            "unhandled error: UnauthorizedException: Session token not found or invalid",
            "failed to read `/home/ada/.aws/sso/cache/ee0b.json`: No such file or directory",
        ] {
            let error = || CredentialsError::provider_error(words);
            let ended = "the SSO session has expired or does not exist: run `aws sso login";
            check(error(), None, &format!("{ended}`"));
            check(error(), Some("work"), &format!("{ended} --profile work`"));
        }
        let error = CredentialsError::provider_error("dispatch failure: connection refused");
        check(
            error,
            Some("work"),
            "could not load credentials of profile work: check the profile in ~/.aws/config",
        );
    }
}
