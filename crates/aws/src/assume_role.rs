//! Assumes the roles of a profile that require an MFA code, which the SDK does not do.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider as EnvironmentCredentials;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::{SystemTimeSource, TimeSource};
use jiff::{SignedDuration, Timestamp};

use crate::client::Client;
use crate::error::CallError;
use crate::halt::{Halt, within};
use crate::role_cache::RoleCache;
use crate::role_chain::{ProfileRole, RoleChain, RoleSource};

impl Client {
    /// Assumes a role, with the code of its MFA device if it has one.
    ///
    /// # Errors
    /// If STS does not answer or rejects the call.
    async fn assume_role(
        &self,
        region: &str,
        role: &ProfileRole,
        code: Option<String>,
    ) -> Result<Credentials, CallError> {
        const ACTION: &str = "AssumeRole";
        let second = now().as_second();
        let name = role.session_name.clone();
        let name = name.unwrap_or_else(|| format!("imds-enforcer-{second}"));
        let answer = self
            .call(ACTION, region, |services| {
                services
                    .sts()
                    .assume_role()
                    .role_arn(&role.arn)
                    .role_session_name(&name)
                    .set_external_id(role.external_id.clone())
                    .set_duration_seconds(role.duration)
                    .set_serial_number(role.mfa_serial.clone())
                    .set_token_code(code.clone())
                    .send()
            })
            .await?;
        let Some(session) = answer.credentials else {
            return Err(CallError::unreadable(ACTION, region, "no `Credentials`"));
        };
        let expiration = session.expiration;
        let user = answer.assumed_role_user;
        let mut credentials = Credentials::builder()
            .access_key_id(session.access_key_id)
            .secret_access_key(session.secret_access_key)
            .session_token(session.session_token)
            .provider_name(ACTION);
        credentials.set_expiry(expiration.try_into().ok());
        // arn:aws:sts::111122223333:assumed-role/…
        if let Some(account) = user.iter().find_map(|user| user.arn.split(':').nth(4)) {
            credentials = credentials.account_id(account);
        }
        Ok(credentials.build())
    }
}

fn now() -> Timestamp {
    Timestamp::try_from(SystemTimeSource::new().now()).unwrap_or_default()
}

/// Asks a person for the code of an MFA device, named by its serial number or ARN.
pub type AskMfaCode = Arc<dyn Fn(&str) -> io::Result<String> + Send + Sync>;

/// Why the roles of a profile could not be assumed.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// The credentials with which the first role is assumed could not be loaded.
    #[error("could not load the credentials of the source")]
    Source {
        /// The profile that has them, if it is one.
        profile: Option<String>,
        /// What the SDK says.
        source: CredentialsError,
    },
    /// They could not be loaded in time.
    #[error("could not load the credentials of the source: {0}")]
    Late(Halt),
    /// There is no terminal to ask for a code.
    #[error(
        "profile `{profile}` requires a code of the MFA device {serial}, and there is no terminal to ask for it: run a command with this profile on a terminal first, which stores the session, or export credentials, for example `eval \"$(aws configure export-credentials --profile {profile} --format env)\"`, or those of `aws sts get-session-token --serial-number {serial} --token-code CODE`"
    )]
    NoTerminal {
        /// The profile.
        profile: String,
        /// The MFA device.
        serial: String,
    },
    /// The code could not be read.
    #[error("could not read the MFA code")]
    Read(#[source] io::Error),
    /// What was typed is no code.
    #[error("an MFA code has 6 digits")]
    NoCode,
    /// STS rejects the code.
    #[error(
        "AWS does not accept the code of the MFA device {serial}: type the code that it shows now; each is valid once"
    )]
    WrongCode {
        /// The MFA device.
        serial: String,
        /// STS's answer.
        source: Box<CallError>,
    },
    /// STS rejects the call, or does not answer.
    #[error("could not assume the role {role} of profile `{profile}`")]
    Refused {
        /// The profile.
        profile: String,
        /// The ARN of the role.
        role: String,
        /// STS's answer.
        source: Box<CallError>,
    },
}

/// What the roles of a profile are assumed with.
pub(crate) struct RoleLogin<'a> {
    pub(crate) ask: Option<&'a AskMfaCode>,
    pub(crate) providers: &'a ProviderConfig,
    pub(crate) region: &'a str,
    /// The user's folder.
    pub(crate) home: Option<PathBuf>,
    pub(crate) time_limit: Option<SignedDuration>,
    /// Creates a client with these credentials.
    pub(crate) client: &'a dyn Fn(SharedCredentialsProvider) -> Client,
}

impl RoleLogin<'_> {
    /// The session of the last role of a chain. Sessions that the AWS CLI or an earlier command stored
    /// are used again, and new ones are stored. If that fails, the next command asks again.
    ///
    /// # Errors
    /// If there is no code, or a role cannot be assumed.
    pub(crate) async fn session(&self, chain: RoleChain) -> Result<Credentials, RoleError> {
        let RoleChain { source, roles } = chain;
        let cache = self.home.as_deref().map(RoleCache::of_home);
        let stored = roles.iter().enumerate().rev().find_map(|(place, role)| {
            let session = cache.as_ref()?.read(role, now())?;
            Some((session, place + 1))
        });
        let (mut session, assumed) = match stored {
            Some(stored) => stored,
            None => (self.load(source).await?, 0),
        };
        for role in roles.iter().skip(assumed) {
            session = self.assume(session, role).await?;
            if let Some(cache) = &cache {
                let _asked_again = cache.write(role, &session);
            }
        }
        Ok(session)
    }

    async fn assume(
        &self,
        credentials: Credentials,
        role: &ProfileRole,
    ) -> Result<Credentials, RoleError> {
        let serial = role.mfa_serial.as_deref();
        let code = serial.map(|serial| self.code(role, serial)).transpose()?;
        let client = (self.client)(SharedCredentialsProvider::new(credentials));
        let session = client.assume_role(self.region, role, code).await;
        session.map_err(|source| match serial {
            Some(serial) if source.cause().contains("MultiFactorAuthentication failed") => {
                RoleError::WrongCode {
                    serial: serial.to_owned(),
                    source: Box::new(source),
                }
            }
            _ => RoleError::Refused {
                profile: role.profile.clone(),
                role: role.arn.clone(),
                source: Box::new(source),
            },
        })
    }

    fn code(&self, role: &ProfileRole, serial: &str) -> Result<String, RoleError> {
        let Some(ask) = self.ask else {
            return Err(RoleError::NoTerminal {
                profile: role.profile.clone(),
                serial: serial.to_owned(),
            });
        };
        let typed = ask(serial).map_err(RoleError::Read)?;
        let code = typed.trim();
        let is_code = code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit());
        is_code.then(|| code.to_owned()).ok_or(RoleError::NoCode)
    }

    async fn load(&self, source: RoleSource) -> Result<Credentials, RoleError> {
        let providers = self.providers;
        let profile = match &source {
            RoleSource::Profile(name) => Some(name.clone()),
            _ => None,
        };
        let provider = match source {
            RoleSource::Keys(key, secret, token) => {
                return Ok(Credentials::new(
                    key,
                    secret,
                    token,
                    None,
                    "a profile's keys",
                ));
            }
            RoleSource::Profile(name) => SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder()
                    .configure(providers)
                    .profile_name(name)
                    .build(),
            ),
            RoleSource::Environment => {
                SharedCredentialsProvider::new(EnvironmentCredentials::new())
            }
            RoleSource::Ec2Instance => SharedCredentialsProvider::new(
                ImdsCredentialsProvider::builder()
                    .configure(providers)
                    .build(),
            ),
            RoleSource::EcsContainer => SharedCredentialsProvider::new(
                EcsCredentialsProvider::builder()
                    .configure(providers)
                    .build(),
            ),
        };
        let loaded = within(self.time_limit, provider.provide_credentials()).await;
        let loaded = loaded.map_err(RoleError::Late)?;
        loaded.map_err(|source| RoleError::Source { profile, source })
    }
}
