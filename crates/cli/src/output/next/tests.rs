use imds_core::instance::LaunchTemplate;

use super::*;
use crate::output::sample;

fn steps_after(document: &Document) -> Vec<NextStep> {
    steps(document, &Survey::new(document))
}

fn whats(document: &Document) -> Vec<String> {
    let steps = steps_after(document).into_iter();
    steps.map(|step| step.what).collect()
}

fn launched_from(id: &str) -> Document {
    let mut instance = sample::non_compliant(1);
    let id = id.to_owned();
    instance.report.launch_template = Some(LaunchTemplate { id, version: None });
    sample::document(vec![instance])
}

#[test]
fn a_scan_leads_from_problems_to_defaults() {
    let text = |step: &NextStep| {
        let names = step.names.iter().map(|name| format!("\n  {name}"));
        let commands = step
            .commands
            .iter()
            .map(|command| format!("\n  $ {command}"));
        let lines: String = names.chain(commands).collect();
        format!("{}\n  {}{lines}", step.what, step.how)
    };
    let steps: Vec<String> = steps_after(&sample::fleet(300)).iter().map(text).collect();
    insta::assert_snapshot!(steps.join("\n"));
}

#[test]
fn after_an_enforcement_come_failures_and_watching() {
    let whats = whats(&sample::enforced(300));
    let has = |words: &str| whats.iter().any(|what| what.contains(words));
    assert!(has("failed") && has("Watch the"), "{whats:?}");
    assert!(!has("Require tokens"), "{whats:?}");
}

#[test]
fn a_compliant_fleet_is_to_be_kept() {
    let mut document = sample::document(vec![]);
    document.unreachable.clear();
    assert_eq!(whats(&document), ["Keep it this way"]);
}

#[test]
fn a_template_that_is_compliant_by_now_needs_no_update() {
    let needs_update = |document: &Document| {
        let whats = whats(document);
        whats.iter().any(|what| what.starts_with("Update"))
    };
    let mut document = launched_from(sample::COMPLIANT_TEMPLATE);
    assert!(needs_update(&document));
    document.templates = sample::fleet(1).templates;
    let templates = document.templates.iter_mut();
    templates.for_each(|it| it.retain(|template| template.is_compliant()));
    assert!(!needs_update(&document));
}
