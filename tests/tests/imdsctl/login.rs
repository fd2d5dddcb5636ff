//! Credentials, profiles and endpoints, as in the AWS CLI, and one clear line if they fail.

use std::path::Path;

use imds_tests::{FakeAws, Imdsctl, InjectedFault, Ran, launch};

use crate::reading::*;

/// A home folder with the AWS CLI's files.
fn home(config: &str, credentials: &str) -> TestFolder {
    let place = TestFolder::new();
    std::fs::create_dir_all(place.path(".aws/sso/cache")).unwrap();
    place.file(".aws/config", config);
    place.file(".aws/credentials", credentials);
    place
}

fn scan(home: &Path) -> Imdsctl {
    Imdsctl::offline()
        .args(["scan", "--format", "json"])
        .home(home)
}

/// Asserts that the error is one line with these words.
#[track_caller]
fn one_line(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.ended_with(2).stdout, "");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("imdsctl: "), "{}", ran.stderr);
    says(&ran.stderr, words);
}

#[test]
fn missing_credentials_are_one_line_with_the_next_step() {
    for command in ["scan", "enforce --yes", "enforce --dry-run"] {
        let ran = Imdsctl::offline().args(command.split(' ')).run();
        one_line(
            &ran,
            &[
                "no credentials",
                "aws configure",
                "aws sso login",
                "--profile",
            ],
        );
    }
}

#[test]
fn an_unknown_profile_is_named_with_the_next_step() {
    let home = home("[profile known]\nregion = eu-west-1\n", "");
    let ran = scan(home.folder.path())
        .args(["--profile", "unknown"])
        .run();
    one_line(&ran, &["`unknown`", "aws configure list-profiles"]);
    let ran = scan(home.folder.path()).env("AWS_PROFILE", "unknown").run();
    one_line(&ran, &["`unknown`", "aws configure list-profiles"]);
    let ran = scan(home.folder.path()).args(["--profile", "known"]).run();
    one_line(&ran, &["`known`", "credentials"]);
}

const FILES: (&str, &str) = (
    "[default]\nregion = us-east-2\n[profile work]\nregion = eu-west-1\n",
    "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = s\n[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = s\n",
);

#[test]
fn a_profile_sets_credentials_and_the_region() {
    let ec2 = FakeAws::start();
    ec2.set_regions(&["eu-west-1", "us-east-2"]);
    let home = home(FILES.0, FILES.1);
    let run = || scan(home.folder.path()).args(["--endpoint-url", ec2.url()]);
    for (run, key, region) in [
        (run(), "AKIADEFAULT", "us-east-2"),
        (run().args(["--profile", "work"]), "AKIAWORK", "eu-west-1"),
        (run().env("AWS_PROFILE", "work"), "AKIAWORK", "eu-west-1"),
        (
            run()
                .env("AWS_PROFILE", "default")
                .args(["--profile", "work"]),
            "AKIAWORK",
            "eu-west-1",
        ),
        (
            run()
                .env("AWS_ACCESS_KEY_ID", "AKIAENV")
                .env("AWS_SECRET_ACCESS_KEY", "s"),
            "AKIAENV",
            "us-east-2",
        ),
        (
            run()
                .env("AWS_ACCESS_KEY_ID", "AKIAENV")
                .env("AWS_SECRET_ACCESS_KEY", "s")
                .args(["--profile", "work"]),
            "AKIAWORK",
            "eu-west-1",
        ),
    ] {
        ec2.forget_calls();
        run.run().ended_with(0);
        assert!(
            ec2.calls().iter().all(|call| call.access_key == key),
            "{key}"
        );
        assert_eq!(ec2.calls_to("DescribeRegions")[0].region, region, "{key}");
    }
}

#[test]
fn the_endpoint_comes_from_the_argument_the_environment_or_the_profile() {
    let (here, elsewhere) = (FakeAws::start(), FakeAws::start());
    let config = format!(
        "[default]\nregion = us-east-1\nendpoint_url = {}\n",
        here.url()
    );
    let home = home(&config, FILES.1);
    let run = || scan(home.folder.path());
    for (run, asked, other) in [
        (run(), &here, &elsewhere),
        (
            run().env("AWS_ENDPOINT_URL", elsewhere.url()),
            &elsewhere,
            &here,
        ),
        (
            run()
                .env("AWS_ENDPOINT_URL", elsewhere.url())
                .args(["--endpoint-url", here.url()]),
            &here,
            &elsewhere,
        ),
    ] {
        here.forget_calls();
        elsewhere.forget_calls();
        run.run().ended_with(0);
        assert_eq!((asked.calls().len(), other.calls().len()), (19, 0));
    }
}

const SESSION: &str = "[profile sso]\nsso_session = corp\nsso_account_id = 111122223333\n\
     sso_role_name = admin\nregion = us-east-1\n[sso-session corp]\nsso_region = us-east-1\n\
     sso_start_url = https://corp.awsapps.com/start\n";
const WITHOUT_SESSION: &str = "[profile sso]\nsso_start_url = https://corp.awsapps.com/start\n\
     sso_region = us-east-1\nsso_account_id = 111122223333\nsso_role_name = admin\n";
/// The AWS CLI names the file after the SHA-1 of the session's name.
const CACHED: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

#[test]
fn an_expired_sso_session_is_reported_with_the_command_to_log_in() {
    let home = home(SESSION, "");
    home.file(
        CACHED,
        r#"{"startUrl":"https://corp.awsapps.com/start","region":"us-east-1","accessToken":"TokenTokenToken","expiresAt":"2026-01-01T00:00:00Z"}"#,
    );
    let by_argument = scan(home.folder.path()).args(["--profile", "sso"]).run();
    let by_variable = scan(home.folder.path()).env("AWS_PROFILE", "sso").run();
    for ran in [by_argument, by_variable] {
        one_line(&ran, &["SSO session", "`aws sso login --profile sso`"]);
        assert!(!ran.stderr.contains("TokenToken"));
    }
}

#[test]
fn a_missing_sso_session_is_reported_with_the_command_to_log_in() {
    for config in [SESSION, WITHOUT_SESSION] {
        let home = home(config, "");
        let ran = scan(home.folder.path()).args(["--profile", "sso"]).run();
        one_line(&ran, &["`aws sso login --profile sso`"]);
    }
}

#[test]
fn expired_or_invalid_credentials_are_reported_with_the_next_step() {
    for code in ["ExpiredToken", "RequestExpired", "InvalidClientTokenId"] {
        let ec2 = FakeAws::start();
        ec2.launch(launch(REGION));
        // EC2 answers the same for a region that is not enabled.
        for action in ["DescribeRegions", "DescribeInstances"] {
            ec2.fault(InjectedFault::error("AuthFailure", 401).action(action));
        }
        ec2.fault(InjectedFault::error(code, 403));
        for arguments in ["scan", "scan --region eu-central-1", "enforce --yes"] {
            let ran = imdsctl(&ec2, arguments).run();
            one_line(&ran, &[code, "credentials", "aws sso login", "--profile"]);
        }
    }
}

#[test]
fn regions_that_cannot_be_listed_can_be_named() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(InjectedFault::unauthorized().action("DescribeRegions"));
    let ran = imdsctl(&ec2, "scan").run();
    one_line(
        &ran,
        &["UnauthorizedOperation", "--region", "ec2:DescribeRegions"],
    );
    assert_eq!(ids(&scanned(&ec2, &format!("--region {REGION}"), 1)), [id]);
}

#[test]
fn an_unreachable_endpoint_is_one_line_that_advises_no_permission() {
    for command in ["scan", "usage", "enforce --yes", "defaults show"] {
        let ran = Imdsctl::offline()
            .args(command.split(' '))
            .args(["--endpoint-url", "http://127.0.0.1:9"])
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .run();
        let stderr = &ran.ended_with(3).stderr;
        says(stderr, &["DescribeRegions", "the network", "the proxy"]);
        assert!(
            !stderr.contains("allow") && stderr.lines().count() == 1,
            "{stderr}"
        );
    }
}

#[test]
fn a_missing_region_is_one_line_with_the_next_step() {
    let ran = Imdsctl::offline()
        .args(["scan"])
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .run();
    one_line(&ran, &["no region", "--region", "AWS_REGION"]);
}

#[test]
fn every_setting_with_an_unknown_value_is_named() {
    let ran = Imdsctl::offline()
        .args(["scan", "--region", REGION])
        .env("AWS_USE_FIPS_ENDPOINT", "yes")
        .env("AWS_MAX_ATTEMPTS", "0")
        .run();
    one_line(
        &ran,
        &[
            "`AWS_USE_FIPS_ENDPOINT` is `yes`",
            "`AWS_MAX_ATTEMPTS` is `0`",
        ],
    );
}
