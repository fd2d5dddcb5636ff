use super::*;
use crate::output::sample;

fn of(document: &Document) -> Vec<Step> {
    steps(document, &Survey::of(document))
}

fn whats(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.what.as_str()).collect()
}

#[test]
fn a_scan_leads_from_seeing_to_mending_to_enforcing_to_defaults() {
    let text: Vec<String> = of(&sample::fleet(300))
        .iter()
        .map(|step| {
            format!(
                "{}\n  {}\n  {}\n  $ {}",
                step.what,
                step.how,
                step.names.join("\n  "),
                step.commands.join("\n  $ ")
            )
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn without_usage_the_first_step_before_enforcing_is_to_ask_for_it() {
    let mut document = sample::fleet(300);
    document.usage_days = None;
    let steps = of(&document);
    let place = |what: &str| whats(&steps).iter().position(|w| w.starts_with(what));
    assert!(place("Ask who").unwrap() < place("Require tokens").unwrap());
}

#[test]
fn after_enforcing_come_what_failed_and_watching() {
    let steps = of(&sample::enforced(300));
    let whats = whats(&steps);
    assert!(
        whats.iter().any(|what| what.contains("that failed")),
        "{whats:?}"
    );
    assert!(
        whats.iter().any(|what| what.starts_with("Watch the")),
        "{whats:?}"
    );
    assert!(
        !whats.iter().any(|what| what.starts_with("Require")),
        "{whats:?}"
    );
}

#[test]
fn where_all_is_well_the_step_is_to_keep_it_so() {
    let mut document = sample::document(&[]);
    document.unseen.clear();
    assert_eq!(whats(&of(&document)), ["Keep it so"]);
}

#[test]
fn a_hostile_template_gets_into_no_command() {
    let mut row = sample::row(1);
    row.report.launch_template = Some(imds_core::instance::LaunchTemplate {
        id: "lt-1; rm -rf ~ #".to_owned(),
        version: None,
    });
    let steps = of(&sample::document(&[row]));
    assert!(whats(&steps).contains(&"Mend 1 launch source"));
    let commands: Vec<&String> = steps.iter().flat_map(|step| &step.commands).collect();
    assert!(
        commands.iter().all(|command| !command.contains("rm -rf")),
        "{commands:?}"
    );
}

#[test]
fn a_template_that_is_right_by_now_is_not_to_be_mended() {
    let mut row = sample::row(1);
    row.report.launch_template = Some(imds_core::instance::LaunchTemplate {
        id: "lt-0fedcba9876543210".to_owned(),
        version: Some("1".to_owned()),
    });
    let mut document = sample::document(&[row]);
    assert!(whats(&of(&document)).contains(&"Mend 1 launch source"));
    document.templates = sample::fleet(1).templates;
    document
        .templates
        .as_mut()
        .unwrap()
        .retain(|row| row.verdict == "required");
    assert!(
        !whats(&of(&document))
            .iter()
            .any(|what| what.starts_with("Mend"))
    );
}
