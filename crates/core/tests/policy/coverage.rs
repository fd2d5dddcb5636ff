//! When a rule leaves nothing over for a later one.

use std::collections::BTreeMap;

use imds_core::instance::Instance;
use imds_core::policy::{Match, Pattern, When};
use proptest::option::weighted;
use proptest::prelude::*;

use crate::conditions::{stranger, when};

/// The conditions of a rule and of a later one, and whether the first covers the second.
const ROWS: &[(&str, &str, bool)] = &[
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

#[test]
fn a_rule_covers_a_later_one_that_asks_for_no_less() {
    for &(earlier, later, expected) in ROWS {
        assert_eq!(
            when(earlier).covers(&when(later)),
            expected,
            "{earlier} over {later}"
        );
    }
}

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
