//! Profiles whose role requires an MFA code: it is asked for on a terminal, and the session is shared with
//! the AWS CLI.

use std::path::Path;

use imds_tests::{AssumableRole, FakeAws, Imdsctl, launch};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::reading::*;

const SERIAL: &str = "arn:aws:iam::111122223333:mfa/ada";
const PROFILES: &str = "[profile admin]\nregion = eu-central-1\nmfa_serial = arn:aws:iam::111122223333:mfa/ada\n\
     role_arn = arn:aws:iam::111122223333:role/admin\nsource_profile = base\n\
     [profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = the-secret-key\n";
/// The AWS CLI names the file after the SHA-1 of the parameters of the call.
const CACHED: &str = ".aws/cli/cache/b1550e3c76bfed80c472fa9bec4c60ca394af83e.json";

fn role(name: &str, code: Option<&str>) -> AssumableRole {
    AssumableRole {
        name: name.to_owned(),
        mfa: code.map(|code| (SERIAL.to_owned(), code.to_owned())),
        external_id: None,
        longest_session: 3600,
    }
}

/// With one instance, and the role `admin`, whose device shows 123456.
fn fake() -> FakeAws {
    let fake = FakeAws::start();
    fake.launch(launch(REGION));
    fake.add_role(role("admin", Some("123456")));
    fake
}

fn home(config: &str) -> TestFolder {
    let home = TestFolder::new();
    std::fs::create_dir_all(home.path(".aws/cli/cache")).unwrap();
    home.file(".aws/config", config);
    home
}

fn scan(fake: &FakeAws, home: &Path) -> Imdsctl {
    Imdsctl::offline()
        .args(["scan", "--region", REGION, "--profile", "admin"])
        .env("AWS_ENDPOINT_URL", fake.url())
        .home(home)
}

/// Runs it on a terminal and types a code; returns the exit code and what was shown.
#[track_caller]
fn typed(run: Imdsctl, code: &str) -> (Option<i32>, String) {
    let mut terminal = run.on_terminal(200, 40);
    terminal.wait_for(&format!("Enter MFA code for {SERIAL}: "));
    terminal.type_text(&format!("{code}\r"));
    let closed = terminal.wait();
    (closed.code, closed.screen)
}

fn keys(fake: &FakeAws, action: &str) -> Vec<String> {
    let calls = fake.calls_to(action).into_iter();
    calls.map(|call| call.access_key).collect()
}

#[test]
fn the_code_is_asked_for_on_a_terminal_and_not_shown() {
    let (fake, home) = (fake(), home(PROFILES));
    let (code, screen) = typed(scan(&fake, home.folder.path()), "123456");
    assert_eq!(code, Some(1), "{screen}");
    assert!(!screen.contains("123456"), "{screen}");
    assert_eq!(keys(&fake, "AssumeRole"), ["AKIABASE"]);
    assert_eq!(keys(&fake, "DescribeInstances"), ["ASIAADMIN"]);
    let call = fake.calls_to("AssumeRole").remove(0);
    let session = call.param("RoleSessionName").unwrap();
    assert!(session.starts_with("imds-enforcer-"), "{session}");
    assert_eq!(call.param("DurationSeconds"), None);
}

#[test]
fn the_session_is_stored_as_the_aws_cli_does_and_used_without_a_terminal() {
    let (fake, home) = (fake(), home(PROFILES));
    typed(scan(&fake, home.folder.path()), "123456");
    let stored = std::fs::read_to_string(home.path(CACHED)).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    let session = &stored["Credentials"];
    assert_eq!(session["AccessKeyId"], "ASIAADMIN");
    assert_eq!(session["AccountId"], "111122223333");
    for field in ["SecretAccessKey", "SessionToken"] {
        assert!(
            session[field].as_str().unwrap().contains("imds-enforcer-"),
            "{field}"
        );
    }
    let end: Timestamp = session["Expiration"].as_str().unwrap().parse().unwrap();
    assert!(end > Timestamp::now());
    scan(&fake, home.folder.path()).run().ended_with(1);
    assert_eq!(fake.count("AssumeRole"), 1);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_stored_session() {
    use std::os::unix::fs::PermissionsExt;
    let (fake, home) = (fake(), home(PROFILES));
    std::fs::remove_dir_all(home.path(".aws/cli")).unwrap();
    typed(scan(&fake, home.folder.path()), "123456");
    let mode = home.path(CACHED).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_session_that_the_aws_cli_stored_is_used_until_it_ends() {
    let (fake, home) = (fake(), home(PROFILES));
    let store = |minutes: i64| {
        let end = Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
        let session = json!({
            "Credentials": {
                "AccessKeyId": "ASIAOFTHECLI", "SecretAccessKey": "s", "SessionToken": "t",
                "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SUTC").to_string(),
            },
            "AssumedRoleUser": {"AssumedRoleId": "AROA:s", "Arn": "arn:aws:sts::111122223333:assumed-role/admin/s"},
            "ResponseMetadata": {"HTTPStatusCode": 200},
        });
        home.file(CACHED, &session.to_string());
    };
    store(16);
    scan(&fake, home.folder.path()).run().ended_with(1);
    assert_eq!(keys(&fake, "DescribeInstances"), ["ASIAOFTHECLI"]);
    store(14);
    let ran = scan(&fake, home.folder.path()).run();
    says(&ran.ended_with(2).stderr, &["MFA"]);
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let (fake, home) = (fake(), home(PROFILES));
    let ran = scan(&fake, home.folder.path()).run();
    let stderr = &ran.ended_with(2).stderr;
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let words = [
        "profile `admin`",
        SERIAL,
        "on a terminal",
        "aws configure export-credentials --profile admin",
        "aws sts get-session-token",
    ];
    says(stderr, &words);
    assert!(fake.calls().is_empty());
}

#[test]
fn a_wrong_code_is_one_clear_error_and_is_not_stored() {
    let (fake, home) = (fake(), home(PROFILES));
    for (code, words) in [
        ("654321", ["does not accept the code", SERIAL]),
        ("12345", ["6 digits", "MFA code"]),
        ("abcdef", ["6 digits", "MFA code"]),
    ] {
        let (exit, screen) = typed(scan(&fake, home.folder.path()), code);
        assert_eq!(exit, Some(2), "{screen}");
        says(&screen.replace('\n', ""), &words);
    }
    assert_eq!(fake.count("AssumeRole"), 1);
    assert!(!home.path(CACHED).exists());
}

#[test]
fn a_role_that_may_not_be_assumed_is_named_with_its_profile() {
    let (fake, home) = (FakeAws::start(), home(PROFILES));
    let (exit, screen) = typed(scan(&fake, home.folder.path()), "123456");
    assert_eq!(exit, Some(2), "{screen}");
    let words = ["role/admin", "profile `admin`", "sts:AssumeRole"];
    says(&screen.replace('\n', ""), &words);
}

#[test]
fn the_settings_of_the_profile_are_sent_and_roles_are_chained() {
    let fake = fake();
    fake.add_role(AssumableRole {
        external_id: Some("ticket".to_owned()),
        ..role("last", None)
    });
    let home = home(&format!(
        "{PROFILES}[profile last]\nsource_profile = admin\nrole_arn = arn:aws:iam::111122223333:role/last\n\
         external_id = ticket\nrole_session_name = ada\nduration_seconds = 900\n"
    ));
    let run = || {
        let run = Imdsctl::offline().args(["scan", "--region", REGION]);
        let run = run.env("AWS_PROFILE", "last").home(home.folder.path());
        run.env("AWS_ENDPOINT_URL", fake.url())
    };
    let (code, screen) = typed(run(), "123456");
    assert_eq!(code, Some(1), "{screen}");
    assert_eq!(keys(&fake, "AssumeRole"), ["AKIABASE", "ASIAADMIN"]);
    assert_eq!(keys(&fake, "DescribeInstances"), ["ASIALAST"]);
    let call = fake.calls_to("AssumeRole").remove(1);
    let sent = [
        "ExternalId",
        "RoleSessionName",
        "DurationSeconds",
        "SerialNumber",
    ];
    let sent = sent.map(|name| call.param(name));
    assert_eq!(sent, [Some("ticket"), Some("ada"), Some("900"), None]);
    // Keys in the environment take precedence over a profile there.
    fake.forget_calls();
    let keys_given = run().env("AWS_ACCESS_KEY_ID", "AKIAENV");
    let ran = keys_given.env("AWS_SECRET_ACCESS_KEY", "s").run();
    ran.ended_with(1);
    assert_eq!(keys(&fake, "DescribeInstances"), ["AKIAENV"]);
}
