//! The AWS CLI's cache of the sessions of roles, shared with it in both directions.
//!
//! <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-role.html#cli-configure-role-cache>

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_credential_types::Credentials;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::role_chain::ProfileRole;

/// Like the AWS CLI, no session is used in its last 15 minutes.
const LEAST_TIME_LEFT: SignedDuration = SignedDuration::from_mins(15);

/// A folder with a file for each role.
#[derive(Debug, Clone)]
pub(crate) struct RoleCache(PathBuf);

impl RoleCache {
    /// The AWS CLI's in this home folder.
    pub(crate) fn of_home(home: &Path) -> Self {
        RoleCache(home.join(".aws/cli/cache"))
    }

    /// The session of a role, if it lasts long enough.
    pub(crate) fn read(&self, role: &ProfileRole, now: Timestamp) -> Option<Credentials> {
        let text = std::fs::read_to_string(self.file(role)).ok()?;
        let document: Value = serde_json::from_str(&text).ok()?;
        let value = |key| document.get("Credentials")?.get(key)?.as_str();
        let expiration = timestamp(value("Expiration")?)?;
        if expiration.duration_since(now) < LEAST_TIME_LEFT {
            return None;
        }
        Some(Credentials::new(
            value("AccessKeyId")?,
            value("SecretAccessKey")?,
            Some(value("SessionToken")?.to_owned()),
            Some(expiration.try_into().ok()?),
            "the AWS CLI's cache",
        ))
    }

    /// Stores the session of a role, so that only its owner can read it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, role: &ProfileRole, session: &Credentials) -> io::Result<()> {
        let expiration = session.expiry().and_then(|at| Timestamp::try_from(at).ok());
        let document = json!({ "Credentials": {
            "AccessKeyId": session.access_key_id(),
            "SecretAccessKey": session.secret_access_key(),
            "SessionToken": session.session_token(),
            "Expiration": expiration.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            "AccountId": session.account_id().map(|id| id.as_str()),
        }});
        std::fs::create_dir_all(&self.0)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(document.to_string().as_bytes())?;
        file.persist(self.file(role)).map_err(|error| error.error)?;
        Ok(())
    }

    fn file(&self, role: &ProfileRole) -> PathBuf {
        self.0.join(format!("{}.json", key(role)))
    }
}

/// The SHA-1 of the call's parameters, as Python's `json.dumps(…, sort_keys=True)` writes them.
fn key(role: &ProfileRole) -> String {
    let text = |text: &Option<String>| text.as_deref().map(python_text);
    let parameters = [
        ("DurationSeconds", role.duration.map(|it| it.to_string())),
        ("ExternalId", text(&role.external_id)),
        ("RoleArn", Some(python_text(&role.arn))),
        ("RoleSessionName", text(&role.session_name)),
        ("SerialNumber", text(&role.mfa_serial)),
    ];
    let parameters = parameters.into_iter();
    let parameters = parameters.filter_map(|(name, value)| Some(format!("\"{name}\": {}", value?)));
    let object = format!("{{{}}}", parameters.collect::<Vec<_>>().join(", "));
    let hash = Sha1::digest(object.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// JSON in ASCII.
fn python_text(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let mut ascii = String::new();
    for letter in quoted.chars() {
        if letter.is_ascii() && letter != '\u{7f}' {
            ascii.push(letter);
        } else {
            let units = letter.encode_utf16(&mut [0; 2]).to_vec();
            ascii.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}

/// The AWS CLI writes `2026-01-01T00:00:00UTC` or RFC 3339.
fn timestamp(text: &str) -> Option<Timestamp> {
    text.replace("UTC", "Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn role() -> ProfileRole {
        ProfileRole {
            profile: "admin".to_owned(),
            arn: "arn:aws:iam::111122223333:role/admin".to_owned(),
            mfa_serial: Some("arn:aws:iam::111122223333:mfa/ada".to_owned()),
            external_id: None,
            session_name: None,
            duration: None,
        }
    }

    #[test]
    fn a_file_has_the_name_that_the_aws_cli_gives_it() {
        // As botocore's AssumeRoleCredentialFetcher computes them.
        assert_eq!(key(&role()), "b1550e3c76bfed80c472fa9bec4c60ca394af83e");
        let all = ProfileRole {
            external_id: Some("ticket \"ä\" \u{1f600}".to_owned()),
            session_name: Some("ada".to_owned()),
            duration: Some(3600),
            ..role()
        };
        assert_eq!(key(&all), "fdd6014275ac2b5283ae3a8c2172c02541a51c22");
    }

    #[test]
    fn a_session_is_used_until_15_minutes_before_its_end() {
        let home = tempfile::tempdir().unwrap();
        let cache = RoleCache::of_home(home.path());
        let end: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let end = SystemTime::try_from(end).unwrap();
        let session = Credentials::new("ASIA", "s", Some("t".to_owned()), Some(end), "test");
        cache.write(&role(), &session).unwrap();
        let at = |time: &str| cache.read(&role(), time.parse().unwrap());
        let read = at("2026-03-01T11:45:00Z").unwrap();
        let read = (read.access_key_id(), read.session_token(), read.expiry());
        assert_eq!(read, ("ASIA", Some("t"), Some(end)));
        assert!(at("2026-03-01T11:45:01Z").is_none());
        let other = ProfileRole {
            mfa_serial: None,
            ..role()
        };
        assert!(cache.read(&other, Timestamp::UNIX_EPOCH).is_none());
    }

    #[test]
    fn the_times_of_both_versions_of_the_aws_cli_are_read() {
        let end = timestamp("2026-03-01T12:00:00Z");
        assert!(end.is_some());
        for text in ["2026-03-01T12:00:00UTC", "2026-03-01T12:00:00+00:00"] {
            assert_eq!(timestamp(text), end);
        }
    }
}
