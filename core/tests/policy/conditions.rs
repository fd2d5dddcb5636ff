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
fn stranger() -> Instance {
    Instance::unknown(
        InstanceId::try_from("i-0123456789abcdef0").unwrap(),
        "eu-west-1",
    )
}

fn tag(instance: &mut Instance, key: &str, value: &str) {
    instance.tags.insert(key.to_owned(), value.to_owned());
}

fn when(conditions: &str) -> When {
    parse(&with_conditions(conditions)).rules.remove(0).when
}

#[track_caller]
fn check(conditions: &str, instance: &Instance, expected: Match) {
    assert_eq!(when(conditions).matches(instance), expected, "{conditions}");
}

#[test]
fn each_condition_is_judged_by_its_own_fact() {
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

#[test]
fn all_conditions_must_hold() {
    let all = r#""accounts": "111122223333", "regions": "eu-*", "tags": {"app": "*"}, "images": "ami-*",
        "instance_types": "m*", "principals": "arn:*", "auto_scaling": true, "launch_templates": "lt-*""#;
    check(all, &instance(), Match::Yes);
    let spoilers: [(&str, fn(&mut Instance)); 8] = [
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

#[test]
fn a_rule_covers_a_later_one_that_asks_for_no_less() {
    let rows = [
        (r#""regions": "us-*""#, r#""regions": "us-east-?""#, true),
        (
            r#""regions": "us-*""#,
            r#""regions": ["us-east-1", "us-west-2"], "auto_scaling": true"#,
            true,
        ),
        (
            r#""regions": "us-*""#,
            r#""regions": ["us-east-1", "eu-west-1"]"#,
            false,
        ),
        (r#""regions": "us-east-1""#, r#""regions": "us-*""#, false),
        (r#""regions": "*""#, r#""auto_scaling": true"#, true),
        (
            r#""regions": ["us-*", "*"]"#,
            r#""accounts": "111122223333""#,
            true,
        ),
        (r#""images": "*""#, r#""auto_scaling": true"#, false),
        (
            r#""accounts": ["111122223333", "444455556666"]"#,
            r#""accounts": "444455556666""#,
            true,
        ),
        (
            r#""instance_types": "m7g.*""#,
            r#""instance_types": "m7g.large""#,
            true,
        ),
        (
            r#""principals": "arn:*""#,
            r#""principals": "arn:aws:iam::*""#,
            true,
        ),
        (
            r#""launch_templates": "lt-*""#,
            r#""launch_templates": "lt-0a""#,
            true,
        ),
        (
            r#""auto_scaling": true"#,
            r#""auto_scaling": true, "regions": "*""#,
            true,
        ),
        (r#""auto_scaling": true"#, r#""auto_scaling": false"#, false),
        (r#""auto_scaling": false"#, r#""regions": "us-*""#, false),
        (
            r#""tags": {"a*": "*"}"#,
            r#""tags": {"app": "x", "b": "y"}"#,
            true,
        ),
        (
            r#""tags": {"a": ["x*", "y"]}"#,
            r#""tags": {"a": ["xx", "y"]}"#,
            true,
        ),
        (
            r#""tags": {"a": "x", "b": "y"}"#,
            r#""tags": {"a": "x"}"#,
            false,
        ),
        (
            r#""tags": {"a": "x"}"#,
            r#""tags": {"a": ["x", "y"]}"#,
            false,
        ),
    ];
    for (earlier, later, expected) in rows {
        assert_eq!(
            when(earlier).covers(&when(later)),
            expected,
            "{earlier} over {later}"
        );
    }
}

mod properties {
    use std::collections::BTreeMap;

    use imds_core::policy::{Match, Pattern, When};
    use proptest::option::weighted;
    use proptest::prelude::*;

    use super::stranger;
    use imds_core::instance::Instance;

    fn patterns() -> impl Strategy<Value = Vec<Pattern>> {
        prop::collection::vec("[ab*?]{1,3}".prop_map(Pattern::new), 1..3)
    }

    prop_compose! {
        /// Each condition comes rarely enough that some rules cover others.
        fn any_when()(
            accounts in weighted(0.2, patterns()),
            regions in weighted(0.4, patterns()),
            tags in prop::collection::btree_map("[ab*?]{1,2}".prop_map(Pattern::new), patterns(), 0..2),
            images in weighted(0.2, patterns()),
            instance_types in weighted(0.2, patterns()),
            principals in weighted(0.2, patterns()),
            auto_scaling in weighted(0.2, any::<bool>()),
            launch_templates in weighted(0.2, patterns()),
        ) -> When {
            When { accounts, regions, tags, images, instance_types, principals, auto_scaling, launch_templates }
        }
    }

    prop_compose! {
        fn any_instance()(
            region in "[abc]{1,3}",
            account in weighted(0.8, "[abc]{0,3}"),
            image in weighted(0.8, "[abc]{0,3}"),
            instance_type in weighted(0.8, "[abc]{0,3}"),
            principals in prop::collection::vec("[abc]{0,3}", 0..3),
            tags in prop::collection::btree_map("[abc]{1,2}", "[abc]{0,2}", 0..4),
            group in any::<bool>(),
            template in weighted(0.5, "[abc]{0,3}"),
        ) -> Instance {
            let mut tags: BTreeMap<String, String> = tags;
            tags.extend(group.then(|| ("aws:autoscaling:groupName".to_owned(), "g".to_owned())));
            tags.extend(template.map(|id| ("aws:ec2launchtemplate:id".to_owned(), id)));
            Instance { region, account, image, instance_type, principals, tags, ..stranger() }
        }
    }

    /// A rule that asks for more than another, so that the other should cover it.
    fn stricter(earlier: &When, more: When) -> When {
        let mut tags = more.tags;
        tags.extend(earlier.tags.clone());
        When {
            accounts: earlier.accounts.clone().or(more.accounts),
            regions: earlier.regions.clone().or(more.regions),
            tags,
            images: earlier.images.clone().or(more.images),
            instance_types: earlier.instance_types.clone().or(more.instance_types),
            principals: earlier.principals.clone().or(more.principals),
            auto_scaling: earlier.auto_scaling.or(more.auto_scaling),
            launch_templates: earlier.launch_templates.clone().or(more.launch_templates),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_a_covered_rule_matches_the_covering_rule_matches(
            earlier in any_when(), later in any_when(), instance in any_instance(),
        ) {
            if earlier.covers(&later) {
                match later.matches(&instance) {
                    Match::Yes => prop_assert_eq!(earlier.matches(&instance), Match::Yes),
                    Match::Unknown => prop_assert_ne!(earlier.matches(&instance), Match::No),
                    Match::No => {}
                }
            }
        }

        #[test]
        fn a_rule_covers_itself_with_further_conditions(earlier in any_when(), more in any_when()) {
            prop_assert!(earlier.covers(&earlier));
            prop_assert!(earlier.covers(&stricter(&earlier, more)));
        }
    }
}
