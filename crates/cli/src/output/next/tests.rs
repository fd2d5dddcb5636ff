use imds_core::instance::LaunchTemplate;
use imds_core::launcher::TemplateCompliance;
use imds_core::report::Unreachable;
use imds_core::usage::Usage;
use imds_engine::TemplateKind;
use imds_user_data::Finding;
use jiff::Timestamp;

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

/// A non-compliant template with one non-compliant instance.
fn with_template(usage: Option<Usage>) -> Document {
    let mut document = launched_from("lt-0123456789abcdef0");
    let mut open = sample::fleet(1).templates;
    open.iter_mut()
        .for_each(|it| it.retain(|template| !template.is_compliant()));
    document.templates = open;
    document.unreachable.clear();
    for instance in &mut document.instances {
        instance.report.usage.clone_from(&usage);
    }
    document
}

#[test]
fn what_may_use_imdsv1_is_moved_off_it_before_its_template_is_updated() {
    let first = |document: &Document| {
        let steps = steps_after(document).into_iter();
        let mut of_templates = steps.filter(|it| it.what.contains("launch template version"));
        let step = of_templates.next().unwrap();
        assert_eq!(of_templates.next(), None);
        (step.what, step.names.join(""))
    };
    let since = Timestamp::UNIX_EPOCH;
    let unused = || {
        with_template(Some(Usage::Unused {
            since,
            not_started_within_window: false,
        }))
    };
    let (what, _) = first(&unused());
    assert_eq!(
        what,
        "Update 1 launch template version whose instances do not use IMDSv1"
    );

    let in_use = with_template(Some(Usage::InUse {
        calls: 3,
        last_at: since,
    }));
    let mut with_call = unused();
    for template in with_call.templates.iter_mut().flatten() {
        let words = "curl 169.254.169.254".to_owned();
        template.user_data = vec![Finding {
            line: 1,
            words,
            part: None,
        }];
    }
    let mut filtered = unused();
    filtered.scope.instances.tags = vec![("app".to_owned(), "web".to_owned())];
    let mut unreachable = unused();
    let region = "eu-west-1";
    unreachable.unreachable = vec![Unreachable::fatal(region, "denied".to_owned())];
    for (document, reason) in [
        (in_use, "1 instance uses IMDSv1"),
        (with_template(None), "not known for 1 instance"),
        (with_call, "1 call without a token in its user data"),
        (filtered, "not all of its instances were examined"),
        (unreachable, "not all of its instances were examined"),
    ] {
        let (what, names) = first(&document);
        assert!(
            what.starts_with("Move the instances of 1 launch template version"),
            "{what}"
        );
        assert!(names.ends_with(reason), "{names}");
    }
}

#[test]
fn templates_are_listed_in_the_order_in_which_they_are_to_be_changed() {
    let mut document = with_template(None);
    let [used, mut unused, mut compliant] =
        [0; 3].map(|_| document.templates.clone().unwrap().remove(0));
    unused.id = "lt-0aaaaaaaaaaaaaaaa".to_owned();
    compliant.id = sample::COMPLIANT_TEMPLATE.to_owned();
    compliant.compliance = TemplateCompliance::Compliant;
    document.templates = Some(vec![compliant, used, unused]);
    let ids: Vec<&str> = in_order(&document)
        .iter()
        .map(|it| it.id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "lt-0aaaaaaaaaaaaaaaa",
            "lt-0123456789abcdef0",
            sample::COMPLIANT_TEMPLATE
        ]
    );
}

#[test]
fn the_latest_version_of_a_template_stays_the_latest_and_only_a_default_becomes_the_default() {
    let mut document = with_template(None);
    let mut latest = document.templates.clone().unwrap().remove(0);
    let mut default = latest.clone();
    (latest.number, latest.is_default) = (Some(5), false);
    (default.number, default.is_latest) = (Some(2), false);
    let mut configuration = latest.clone();
    configuration.kind = TemplateKind::LaunchConfiguration;
    configuration.number = None;
    document.templates = Some(vec![latest, default, configuration]);
    let steps = steps_after(&document);
    let mut of_templates = steps
        .iter()
        .filter(|it| it.what.contains("launch template version"));
    let commands = &of_templates.next().unwrap().commands;
    let [default, latest] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    assert!(
        default.starts_with("aws ec2 modify-launch-template ")
            && default.contains("--source-version 2 ")
    );
    assert!(
        latest.starts_with("aws ec2 create-launch-template-version ")
            && latest.contains("--source-version 5 ")
    );
    assert!(
        steps
            .iter()
            .any(|it| it.what == "Replace 1 launch configuration")
    );
}
