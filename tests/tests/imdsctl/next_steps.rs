//! The commands that a report prints: they have the scope of the report, and find its instances.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use imds_tests::{
    Defaults, FakeAws, Imdsctl, LaunchBuilder, Ran, binary, group, launch, template_data,
};
use tempfile::TempDir;

use crate::reading::*;
use crate::usage::by_day;

const POLICY: &str = r#"{"version": 1, "on_violation": "enforce",
    "require": {"http_tokens": "required", "hop_limit": {"at_most": 3}}}"#;

/// A home with a profile that has the only credentials, and a policy with a blank in its name.
fn home() -> TempDir {
    let home = TempDir::new().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let profile = "[profile ops]\nregion = us-east-1\naws_access_key_id = AKIDEXAMPLE\n\
                   aws_secret_access_key = secret\n";
    std::fs::write(home.path().join(".aws/config"), profile).unwrap();
    std::fs::write(home.path().join("our policy.json"), POLICY).unwrap();
    home
}

/// An AWS CLI that appends its arguments to a file, one a line, and answers with a version.
fn aws_cli(home: &Path) {
    let path = home.join("aws");
    std::fs::write(
        &path,
        "#!/bin/sh\nprintf '%s\\n' \"$@\" >> called\necho 7\n",
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a line of a shell as a person does who has no other settings.
fn shell(home: &Path, line: &str) -> Ran {
    let folder = binary("imdsctl");
    let folder = folder.parent().unwrap().display().to_string();
    let path = format!("{}:{folder}:/usr/bin:/bin", home.display());
    Imdsctl::with_program("/bin/sh")
        .args(["-c", line])
        .env("PATH", path)
        .home(home)
        .run()
}

fn commands_of_table(table: &str) -> BTreeSet<String> {
    let lines = table.lines().map(str::trim);
    let commands = lines.filter(|line| line.starts_with("imdsctl ") || line.starts_with("aws "));
    commands.map(str::to_owned).collect()
}

fn commands_of_html(html: &str) -> BTreeSet<String> {
    let parts = html.split("<pre>").skip(1);
    let commands = parts.map(|part| part.split("</pre>").next().unwrap());
    let unescaped = commands.map(|text| {
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
    });
    unescaped.collect()
}

/// Instances within the scope of the report, and others that differ in one point each.
struct Fleet {
    ec2: FakeAws,
    home: TempDir,
    unused: String,
    in_use: String,
    template: String,
}

impl Fleet {
    fn new() -> Self {
        let ec2 = two_regions();
        let old = |region: &str| launch(region).launched(DAY * 100).tag("app", "web one");
        let template = ec2.template(HERE, "web");
        let open = template_data()
            .tokens("optional")
            .hop_limit(3)
            .endpoint("enabled");
        ec2.template_version(&template, open);
        ec2.add_group(HERE, group("web-asg").template(&template, "1"));
        let from = |launch: LaunchBuilder, version: &str| {
            launch
                .tag("aws:ec2launchtemplate:id", &template)
                .tag("aws:ec2launchtemplate:version", version)
        };
        let fleet = Fleet {
            unused: ec2.launch(from(old(HERE), "1")),
            in_use: ec2.launch(old(HERE).hop_limit(9).tokens("required")),
            home: home(),
            template: template.clone(),
            ec2,
        };
        let days = [Some(0); 9];
        by_day(&fleet.ec2, &fleet.unused, "MetadataNoToken", &days);
        let used = [Some(5); 9];
        by_day(&fleet.ec2, &fleet.in_use, "MetadataNoToken", &used);
        for other in [
            old(THERE),
            old(HERE).state("stopped"),
            old(HERE).tag("app", "db"),
        ] {
            let id = fleet.ec2.launch(other);
            by_day(&fleet.ec2, &id, "MetadataNoToken", &days);
        }
        let hops = Defaults {
            hop_limit: Some(4),
            ..Defaults::default()
        };
        fleet.ec2.set_defaults(THERE, hops);
        fleet
    }

    fn scan(&self, more: &str) -> String {
        let url = self.ec2.url();
        let scope = format!(
            "--profile ops --endpoint-url {url} --region {HERE} --tag 'app=web *' \
             --state running --policy 'our policy.json'"
        );
        let ran = shell(self.home.path(), &format!("imdsctl scan {scope} {more}"));
        ran.ended_with(1).stdout.clone()
    }

    /// The ids that the command prints or writes.
    fn found(&self, command: &str) -> BTreeSet<String> {
        let command = match command.contains("enforce") && !command.contains("--dry-run") {
            true => format!("{command} --dry-run"),
            false => command.to_owned(),
        };
        let ran = shell(self.home.path(), &command);
        assert!(matches!(ran.code, Some(0 | 1)), "{command}: {}", ran.stderr);
        let report = self.home.path().join("report.html");
        let written = std::fs::read_to_string(&report).unwrap_or_default();
        let _ = std::fs::remove_file(report);
        let text = format!("{} {written}", ran.stdout);
        let all = [HERE, THERE]
            .into_iter()
            .flat_map(|it| self.ec2.instances(it));
        let ids = all.map(|instance| instance.id);
        ids.filter(|id| text.contains(id.as_str())).collect()
    }
}

#[test]
fn every_command_of_a_scoped_report_finds_the_instances_of_the_report() {
    let fleet = Fleet::new();
    let what = "--usage 7 --templates --defaults --only violations";
    let table = fleet.scan(what);
    let html = fleet.scan(&format!("{what} --format html"));
    let commands = commands_of_table(&table);
    assert_eq!(commands_of_html(&html), commands);
    for text in [&table, &html] {
        says(text, &["The commands are for account 111122223333."]);
    }
    let mut run = BTreeSet::new();
    for command in commands.iter().filter(|it| it.starts_with("imdsctl ")) {
        let expected: &[&String] = match command.split_whitespace().nth(1).unwrap() {
            "enforce" => &[&fleet.unused],
            "usage" => &[&fleet.unused, &fleet.in_use],
            "defaults" => &[],
            other => panic!("{other} in {commands:#?}"),
        };
        let expected: BTreeSet<String> = expected.iter().map(|id| (*id).clone()).collect();
        assert_eq!(fleet.found(command), expected, "{command}");
        run.insert(command.split_whitespace().nth(1).unwrap().to_owned());
    }
    assert_eq!(run.len(), 3, "{commands:#?}");
    let without_usage = commands_of_table(&fleet.scan(""));
    let scans = without_usage
        .iter()
        .filter(|it| it.contains("imdsctl scan"));
    for scan in scans.clone() {
        let found = fleet.found(scan);
        let expected = BTreeSet::from([fleet.unused.clone(), fleet.in_use.clone()]);
        assert_eq!(found, expected, "{scan}");
    }
    assert_eq!(scans.count(), 2, "{without_usage:#?}");
}

#[test]
fn the_command_of_a_template_keeps_its_other_options_and_makes_a_new_default() {
    let fleet = Fleet::new();
    let table = fleet.scan("--usage 7 --templates");
    let commands = commands_of_table(&table);
    let mut of_aws = commands.iter().filter(|it| it.starts_with("aws "));
    let command = of_aws.next().unwrap();
    assert_eq!(of_aws.next(), None, "{commands:#?}");
    aws_cli(fleet.home.path());
    shell(fleet.home.path(), command).ended_with(0);
    let called = std::fs::read_to_string(fleet.home.path().join("called")).unwrap();
    let place = format!(
        "--region\n{HERE}\n--launch-template-id\n{}\n",
        fleet.template
    );
    let connection = format!("--profile\nops\n--endpoint-url\n{}\n", fleet.ec2.url());
    let data = r#"{"MetadataOptions":{"HttpEndpoint":"enabled","HttpPutResponseHopLimit":3,"HttpTokens":"required"}}"#;
    let expected = format!(
        "ec2\ncreate-launch-template-version\n{place}--source-version\n1\n--launch-template-data\n\
         {data}\n--query\nLaunchTemplateVersion.VersionNumber\n--output\ntext\n{connection}\
         ec2\nmodify-launch-template\n{place}--default-version\n7\n{connection}"
    );
    assert_eq!(called, expected);
}

#[test]
fn defaults_are_set_with_a_hop_limit_that_is_not_lower() {
    let fleet = Fleet::new();
    let url = fleet.ec2.url();
    let scan = format!("imdsctl scan --defaults --profile ops --endpoint-url {url}");
    let ran = shell(fleet.home.path(), &scan);
    let commands = commands_of_table(&ran.ended_with(1).stdout);
    let set: Vec<&String> = commands
        .iter()
        .filter(|it| it.contains(" defaults "))
        .collect();
    let connection = format!("--dry-run --profile ops --endpoint-url {url}");
    let set_tokens = "imdsctl defaults set --http-tokens required";
    assert_eq!(
        set,
        [
            &format!("{set_tokens} --hop-limit 2 --region {HERE} {connection}"),
            &format!("{set_tokens} --region {THERE} {connection}"),
        ]
    );
}
