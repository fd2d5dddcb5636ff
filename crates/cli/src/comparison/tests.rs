//! What changed, for every pair of standings.

use super::*;

fn standings() -> [Standing; 7] {
    [
        Standing::Compliant,
        Standing::Exempt {
            rule: Some("legacy".to_owned()),
        },
        Standing::NonCompliant {
            violations: vec!["http_tokens is optional".to_owned()],
        },
        Standing::Gone,
        Standing::Absent,
        Standing::NotListed,
        Standing::Unknown {
            because: "AuthFailure".to_owned(),
        },
    ]
}

#[test]
fn what_is_unknown_in_the_new_report_is_neither_compliant_nor_gone() {
    let [.., unknown] = standings();
    for old in standings() {
        let kind = ChangeKind::of(&old, &unknown);
        let expected = (old != Standing::Gone).then_some(ChangeKind::Unknown);
        assert_eq!(kind, expected, "{old:?}");
    }
}

#[test]
fn only_what_is_compliant_now_and_was_not_is_remediated() {
    for old in standings() {
        for new in standings() {
            let is_remediated = ChangeKind::of(&old, &new) == Some(ChangeKind::Remediated);
            let was_not = matches!(old, Standing::NonCompliant { .. } | Standing::Exempt { .. });
            assert_eq!(
                is_remediated,
                was_not && new == Standing::Compliant,
                "{old:?} {new:?}"
            );
        }
    }
}

#[test]
fn what_is_non_compliant_now_is_new_reopened_or_was_non_compliant() {
    let [_, _, non_compliant, ..] = standings();
    let kinds = standings().map(|old| ChangeKind::of(&old, &non_compliant));
    let expected = [
        ChangeKind::Reopened,
        ChangeKind::ExemptionEnded,
        ChangeKind::StillNonCompliant,
        ChangeKind::New,
        ChangeKind::New,
        ChangeKind::New,
        ChangeKind::New,
    ];
    assert_eq!(kinds, expected.map(Some));
}

#[test]
fn another_rule_is_another_exemption() {
    let [_, exempt, ..] = standings();
    let other = Standing::Exempt { rule: None };
    assert_eq!(ChangeKind::of(&exempt, &exempt), Some(ChangeKind::Exempt));
    assert_eq!(ChangeKind::of(&exempt, &other), Some(ChangeKind::Exempted));
}
