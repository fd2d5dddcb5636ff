//! Which version of a launch template is meant by what names it.

use imds_core::launcher_use::LaunchTemplateSummary;

fn web() -> LaunchTemplateSummary {
    LaunchTemplateSummary {
        id: "lt-1".to_owned(),
        name: "web".to_owned(),
        default: 2,
        latest: 5,
    }
}

#[test]
fn a_version_is_named_by_number_or_alias_and_is_the_default_without_a_name() {
    for (named, number) in [
        (None, Some(2)),
        (Some(""), Some(2)),
        (Some("$Default"), Some(2)),
        (Some("$Latest"), Some(5)),
        (Some("3"), Some(3)),
        (Some("$Newest"), None),
    ] {
        assert_eq!(web().number(named), number, "{named:?}");
    }
}

#[test]
fn a_template_is_named_by_its_id_or_by_its_name() {
    assert!(web().is(Some("lt-1"), None));
    assert!(web().is(None, Some("web")));
    assert!(web().is(Some("lt-1"), Some("renamed")), "ids are unique");
    assert!(!web().is(Some("lt-2"), Some("web")));
    assert!(!web().is(None, None));
}

#[test]
fn a_version_has_its_aliases_beside_its_number() {
    assert_eq!(web().label(2), "2 (default)");
    assert_eq!(web().label(5), "5 (latest)");
    assert_eq!(web().label(4), "4");
    let one = LaunchTemplateSummary { latest: 2, ..web() };
    assert_eq!(one.label(2), "2 (default, latest)");
}
