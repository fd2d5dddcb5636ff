//! The roles that a profile of the AWS CLI names, as the AWS CLI reads them.
//!
//! <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-role.html>

use aws_config::profile::{Profile, ProfileSet};

/// A role of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProfileRole {
    /// The name of the profile.
    pub(crate) profile: String,
    pub(crate) arn: String,
    /// The serial number or ARN of the MFA device whose code the role requires.
    pub(crate) mfa_serial: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) session_name: Option<String>,
    /// How long the session lasts, in seconds.
    pub(crate) duration: Option<i32>,
}

/// The credentials with which the first role is assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RoleSource {
    /// The access key, the secret key and the session token of a profile.
    Keys(String, String, Option<String>),
    /// Those of a profile without a role.
    Profile(String),
    /// Those of the environment.
    Environment,
    /// Those of the EC2 instance.
    Ec2Instance,
    /// Those of the ECS task.
    EcsContainer,
}

/// A profile that leads to roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleChain {
    pub(crate) source: RoleSource,
    /// In the order in which they are assumed; the last is the profile's own.
    pub(crate) roles: Vec<ProfileRole>,
}

impl RoleChain {
    /// Reads the chain of a profile; `None` if no role requires an MFA code, or if the chain is not
    /// valid. The SDK handles both.
    pub(crate) fn with_mfa(profiles: &ProfileSet, name: &str) -> Option<Self> {
        let mut roles: Vec<ProfileRole> = Vec::new();
        let mut name = name.to_owned();
        let source = loop {
            let profile = profiles.get_profile(&name)?;
            // The keys of a source profile take precedence over its role.
            if let Some(keys) = keys(profile).filter(|_| !roles.is_empty()) {
                break keys;
            }
            let Some(role) = role(profile) else {
                break RoleSource::Profile(name);
            };
            if roles.iter().any(|role| role.profile == name) {
                return None;
            }
            roles.push(role);
            match (
                profile.get("source_profile"),
                profile.get("credential_source"),
            ) {
                (Some(source), None) => name = source.to_owned(),
                (None, Some("Environment")) => break RoleSource::Environment,
                (None, Some("Ec2InstanceMetadata")) => break RoleSource::Ec2Instance,
                (None, Some("EcsContainer")) => break RoleSource::EcsContainer,
                _ => return None,
            }
        };
        roles.reverse();
        let requires_mfa = roles.iter().any(|role| role.mfa_serial.is_some());
        requires_mfa.then_some(RoleChain { source, roles })
    }
}

fn keys(profile: &Profile) -> Option<RoleSource> {
    Some(RoleSource::Keys(
        profile.get("aws_access_key_id")?.to_owned(),
        profile.get("aws_secret_access_key")?.to_owned(),
        profile.get("aws_session_token").map(str::to_owned),
    ))
}

fn role(profile: &Profile) -> Option<ProfileRole> {
    if profile.get("web_identity_token_file").is_some() {
        return None;
    }
    let value = |key: &str| profile.get(key).map(str::to_owned);
    Some(ProfileRole {
        profile: profile.name().to_owned(),
        arn: value("role_arn")?,
        mfa_serial: value("mfa_serial"),
        external_id: value("external_id"),
        session_name: value("role_session_name"),
        duration: profile
            .get("duration_seconds")
            .and_then(|it| it.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
    use aws_types::os_shim_internal::{Env, Fs};

    use super::*;

    async fn chain(config: &str) -> Option<RoleChain> {
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, config);
        let (fs, env, files) = (Fs::real(), Env::real(), files.build());
        let profiles = aws_config::profile::load(&fs, &env, &files, None).await;
        RoleChain::with_mfa(&profiles.unwrap(), "top")
    }

    const MFA: &str = "mfa_serial = mfa/ada\n";

    #[tokio::test]
    async fn roles_are_assumed_from_the_source_to_the_profile() {
        let config = format!(
            "[profile top]\nrole_arn = top-role\nsource_profile = middle\nduration_seconds = 900\n\
             [profile middle]\nrole_arn = middle-role\nsource_profile = keys\n{MFA}\
             [profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = s\nrole_arn = unused\n"
        );
        let chain = chain(&config).await.unwrap();
        let keys = RoleSource::Keys("AKIA".to_owned(), "s".to_owned(), None);
        assert_eq!(chain.source, keys);
        let arns = chain.roles.iter().map(|it| (it.arn.as_str(), it.duration));
        let arns: Vec<_> = arns.collect();
        assert_eq!(arns, [("middle-role", None), ("top-role", Some(900))]);
    }

    #[tokio::test]
    async fn the_source_may_be_the_profile_itself_another_or_named() {
        let role = format!("[profile top]\nrole_arn = r\n{MFA}");
        let own_keys = "aws_access_key_id = AKIA\naws_secret_access_key = s\n";
        for (source, expected) in [
            (
                format!("source_profile = top\n{own_keys}"),
                RoleSource::Keys("AKIA".to_owned(), "s".to_owned(), None),
            ),
            (
                "source_profile = sso\n[profile sso]\nsso_session = corp\n".to_owned(),
                RoleSource::Profile("sso".to_owned()),
            ),
            (
                "credential_source = Environment\n".to_owned(),
                RoleSource::Environment,
            ),
            (
                "credential_source = Ec2InstanceMetadata\n".to_owned(),
                RoleSource::Ec2Instance,
            ),
            (
                "credential_source = EcsContainer\n".to_owned(),
                RoleSource::EcsContainer,
            ),
        ] {
            let chain = chain(&format!("{role}{source}")).await;
            assert_eq!(chain.unwrap().source, expected, "{source}");
        }
    }

    #[tokio::test]
    async fn without_mfa_or_with_a_chain_that_is_not_valid_the_sdk_decides() {
        let role = format!("[profile top]\nrole_arn = r\n{MFA}");
        for config in [
            "[profile top]\nrole_arn = r\ncredential_source = Environment\n".to_owned(),
            format!("[profile top]\n{MFA}aws_access_key_id = AKIA\naws_secret_access_key = s\n"),
            format!("{role}source_profile = missing\n"),
            format!("{role}source_profile = top\n"),
            format!("{role}source_profile = b\n[profile b]\nrole_arn = r\nsource_profile = top\n"),
            format!("{role}credential_source = Elsewhere\n"),
            format!("{role}credential_source = Environment\nweb_identity_token_file = f\n"),
            role.clone(),
        ] {
            assert_eq!(chain(&config).await, None, "{config}");
        }
    }
}
