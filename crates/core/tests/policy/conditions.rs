//! Which instances a rule is for.

use imds_core::instance::{Instance, InstanceId};
use imds_core::policy::{Match, When};

use crate::{parse, with_conditions};

/// An instance of which everything is known.
fn instance() -> Instance {
    let mut instance = Instance::unknown(
        InstanceId::try_from("i-0123456789abcdef0").unwrap(),
        "eu-west-1",
    );
    instance.account = Some("111122223333".to_owned());
    instance.image = Some("ami-0a1b".to_owned());
    instance.instance_type = Some("m7g.large".to_owned());
    instance.principals = vec![
        "arn:aws:sts::111122223333:assumed-role/deploy/ci".to_owned(),
        "autoscaling.amazonaws.com".to_owned(),
    ];
    tag(&mut instance, "app", "scanner-7");
    tag(&mut instance, "empty", "");
    tag(&mut instance, "aws:autoscaling:groupName", "web");
    tag(&mut instance, "aws:ec2launchtemplate:id", "lt-0c2d");
    instance
}

/// An instance of which only id, region and the lack of tags are known.
pub(crate) fn stranger() -> Instance {
    Instance::unknown(
        InstanceId::try_from("i-0123456789abcdef0").unwrap(),
        "eu-west-1",
    )
}

fn tag(instance: &mut Instance, key: &str, value: &str) {
    instance.tags.insert(key.to_owned(), value.to_owned());
}

pub(crate) fn when(conditions: &str) -> When {
    parse(&with_conditions(conditions)).rules.remove(0).when
}

#[track_caller]
fn check(conditions: &str, instance: &Instance, expected: Match) {
    assert_eq!(when(conditions).matches(instance), expected, "{conditions}");
}

#[test]
fn each_condition_is_evaluated_by_its_own_fact() {
    use Match::{No, Unknown, Yes};
    // The condition; then for the instance and for the stranger.
    let rows = [
        (r#""accounts": "111122223333""#, Yes, Unknown),
        (
            r#""accounts": ["444455556666", "111122223333"]"#,
            Yes,
            Unknown,
        ),
        (r#""accounts": "444455556666""#, No, Unknown),
        (r#""regions": "eu-west-1""#, Yes, Yes),
        (r#""regions": ["us-*", "eu-*"]"#, Yes, Yes),
        (r#""regions": ["us-*", "ap-*"]"#, No, No),
        (r#""tags": {"app": "scanner-*"}"#, Yes, No),
        (r#""tags": {"app": ["web", "scanner-?"]}"#, Yes, No),
        (r#""tags": {"app": "scanner"}"#, No, No),
        (r#""tags": {"App": "scanner-*"}"#, No, No),
        (r#""tags": {"a*": "scanner-7"}"#, Yes, No),
        (r#""tags": {"e*": "*"}"#, Yes, No),
        (r#""tags": {"empty": "?*"}"#, No, No),
        (r#""tags": {"app": "*", "empty": "*"}"#, Yes, No),
        (r#""tags": {"app": "*", "owner": "*"}"#, No, No),
        (r#""images": "ami-0a*""#, Yes, Unknown),
        (r#""images": "ami-0b*""#, No, Unknown),
        (r#""images": "*""#, Yes, Unknown),
        (r#""instance_types": "m7g.*""#, Yes, Unknown),
        (r#""instance_types": ["m7i.*", "m7g.small"]"#, No, Unknown),
        (
            r#""principals": "arn:aws:sts::*:assumed-role/deploy/*""#,
            Yes,
            Unknown,
        ),
        (r#""principals": "autoscaling.amazonaws.com""#, Yes, Unknown),
        (
            r#""principals": "arn:aws:sts::*:assumed-role/admin/*""#,
            No,
            Unknown,
        ),
        (r#""auto_scaling": true"#, Yes, No),
        (r#""auto_scaling": false"#, No, Yes),
        (r#""launch_templates": "lt-0c*""#, Yes, No),
        (r#""launch_templates": "*""#, Yes, No),
        (r#""launch_templates": "lt-0d2d""#, No, No),
    ];
    for (conditions, known, strange) in rows {
        check(conditions, &instance(), known);
        check(conditions, &stranger(), strange);
    }
}

type Spoil = fn(&mut Instance);

#[test]
fn all_conditions_must_hold() {
    let all = r#""accounts": "111122223333", "regions": "eu-*", "tags": {"app": "*"}, "images": "ami-*",
        "instance_types": "m*", "principals": "arn:*", "auto_scaling": true, "launch_templates": "lt-*""#;
    check(all, &instance(), Match::Yes);
    let spoilers: Vec<(&str, Spoil)> = vec![
        ("account", |instance| {
            instance.account = Some("444455556666".to_owned())
        }),
        ("region", |instance| {
            instance.region = "us-east-1".to_owned()
        }),
        ("tags", |instance| drop(instance.tags.remove("app"))),
        ("image", |instance| {
            instance.image = Some("other".to_owned())
        }),
        ("instance type", |instance| {
            instance.instance_type = Some("t3.nano".to_owned())
        }),
        ("principal", |instance| {
            instance.principals = vec!["ec2fleet.amazonaws.com".to_owned()]
        }),
        ("auto scaling", |instance| {
            drop(instance.tags.remove("aws:autoscaling:groupName"))
        }),
        ("launch template", |instance| {
            drop(instance.tags.remove("aws:ec2launchtemplate:id"))
        }),
    ];
    for (fact, spoil) in spoilers {
        let mut instance = instance();
        spoil(&mut instance);
        assert_eq!(when(all).matches(&instance), Match::No, "{fact}");
    }
}

#[test]
fn no_wins_over_unknown_and_unknown_over_yes() {
    let image_unknown = Instance {
        image: None,
        ..instance()
    };
    check(
        r#""images": "ami-*", "regions": "us-*""#,
        &image_unknown,
        Match::No,
    );
    check(
        r#""images": "ami-*", "tags": {"owner": "*"}"#,
        &image_unknown,
        Match::No,
    );
    check(
        r#""images": "ami-*", "auto_scaling": false"#,
        &image_unknown,
        Match::No,
    );
    check(
        r#""images": "ami-*", "regions": "eu-*", "accounts": "111122223333""#,
        &image_unknown,
        Match::Unknown,
    );
}
