//! Plans that are written, read, and hold or not.

use imds_core::age::Attachments;
use imds_core::decide::{Discovery, Evidence, UsageGate, decide};
use imds_core::instance::{Instance, State};
use imds_core::options::{HttpTokens, Toggle};
use imds_core::usage::{NotKnown, Usage};
use serde_json::json;

use super::*;

const ACCOUNT: &str = "111122223333";
const BASIS: (UsageBasis, bool) = (UsageBasis::UnusedOnly { days: 14 }, true);

fn at() -> Timestamp {
    "2026-07-13T10:15:02Z".parse().unwrap()
}

fn policy() -> Value {
    json!({
        "version": 1, "require": { "http_tokens": "required" },
        "on_violation": "enforce",
        "rules": [
            { "name": "kept", "when": { "tags": { "keep": "*" } }, "action": "exempt" },
            { "name": "ended", "when": { "tags": { "end": "*" } }, "action": "stop" },
            { "name": "hops", "when": { "tags": { "hops": "*" } }, "require": { "hop_limit": { "at_least": 2 } } },
        ],
    })
}

fn before() -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        ..Default::default()
    }
}

fn entry() -> PlannedChange {
    PlannedChange {
        region: "eu-central-1".to_owned(),
        instance_id: InstanceId::try_from("i-00000001").unwrap(),
        name: Some("web".to_owned()),
        tags: [("Owner".to_owned(), "team-a".to_owned())].into(),
        launch_template: None,
        auto_scaling_group: Some("web-asg".to_owned()),
        first_launched_at: Some(at()),
        usage: Some(Usage::Unused {
            since: at(),
            not_started_within_window: true,
        }),
        before: before(),
        set: MetadataOptions {
            http_tokens: Some(HttpTokens::Required),
            ..Default::default()
        },
        reason: "http_tokens is optional, not required".to_owned(),
    }
}

fn plan() -> PlanFile {
    PlanFile::new(ACCOUNT, at(), policy(), BASIS, vec![entry()])
}

fn instance() -> Instance {
    Instance {
        options: before(),
        state: Some(State::Running),
        attachments: Attachments::at_launch(at()),
        ..Instance::unknown(entry().instance_id, "eu-central-1")
    }
}

#[track_caller]
fn holds(instance: &Instance) -> Result<(), String> {
    let policy = Policy::parse(&policy().to_string()).unwrap();
    let (launch, evidence) = (Discovery::Launch { at: Some(at()) }, Evidence::NotAsked);
    let decision = decide(&policy, instance, at(), launch, &evidence);
    entry().still_valid(&ScannedInstance::new(instance, &decision, None, Vec::new()))
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), expected: &str) {
    let mut value = serde_json::to_value(plan()).unwrap();
    change(&mut value);
    let error = PlanFile::parse(Path::new("p"), &value.to_string(), ACCOUNT).unwrap_err();
    // Where in the text it is differs with the change.
    let words = imds_core::chain::chain(&error);
    let words = words.split(" at line").next().unwrap();
    assert_eq!(words, expected);
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    plan().write(&path).unwrap();
    let (read, policy) = PlanFile::read(&path, ACCOUNT).unwrap();
    assert_eq!(read, plan());
    assert_eq!(policy.rules.len(), 3);
}

#[test]
fn a_plan_is_overwritten_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    plan().write(&path).unwrap();
    let empty = PlanFile::new(ACCOUNT, at(), policy(), BASIS, vec![]);
    empty.write(&path).unwrap();
    assert_eq!(PlanFile::read(&path, ACCOUNT).unwrap().0, empty);

    for other in ["", "notes", "{\"kind\":\"imdsctl\",\"version\":1}"] {
        std::fs::write(&path, other).unwrap();
        let error = plan().write(&path).unwrap_err();
        assert!(matches!(error, PlanFileError::Taken { .. }), "{error:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
    }
    let error = plan().write(folder.path()).unwrap_err();
    assert!(matches!(error, PlanFileError::Taken { .. }), "{error:?}");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "no temporary file is left");
}

#[cfg(unix)]
#[test]
fn a_plan_that_an_editor_marked_is_read_and_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let text = serde_json::to_string(&plan()).unwrap();
    std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
    let (read, _) = PlanFile::read(&path, ACCOUNT).unwrap();
    assert_eq!(read, plan());
    plan().write(&path).unwrap();
    assert!(std::fs::read(&path).unwrap().starts_with(b"{"));
}

#[test]
fn others_may_read_a_plan_as_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |name| {
        let path = folder.path().join(name);
        std::fs::metadata(path).unwrap().permissions().mode()
    };
    std::fs::write(folder.path().join("other"), "").unwrap();
    plan().write(&folder.path().join("plan")).unwrap();
    assert_eq!(mode("plan"), mode("other"));
}

#[test]
fn a_folder_that_is_missing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let error = plan()
        .write(&folder.path().join("missing/plan"))
        .unwrap_err();
    assert!(matches!(error, PlanFileError::Write { .. }), "{error:?}");
}

#[test]
fn a_bad_value_is_refused_by_its_path() {
    refused(
        |plan| plan["instances"][0]["set"]["http_tokens"] = json!("maybe"),
        "plan `p`: `$.instances[0].set.http_tokens`: unknown variant `maybe`, expected `optional` or `required`",
    );
    refused(
        |plan| plan["instances"][0]["before"]["hop_limit"] = json!(65),
        "plan `p`: `$.instances[0].before.hop_limit`: hop limit `65` is not between 1 and 64",
    );
    refused(
        |plan| plan["instances"][0]["set"]["http_token"] = json!("required"),
        "plan `p`: `$.instances[0].set.http_token`: unknown field `http_token`, expected one of `http_tokens`, `http_endpoint`, `hop_limit`, `http_protocol_ipv6`, `instance_metadata_tags`",
    );
    refused(
        |plan| plan["instances"][0]["instance_id"] = json!("i-\u{1b}[31m"),
        "plan `p`: `$.instances[0].instance_id`: `i-\u{fffd}[31m` is not an instance id (`i-` and 8 or 17 hexadecimal digits)",
    );
    refused(
        |plan| plan["instances"][0]["set"] = json!({}),
        "plan `p`: `$.instances[0].set`: it sets nothing; expected at least one option",
    );
    refused(
        |plan| plan["instances"] = json!([entry(), entry()]),
        "plan `p`: `$.instances[1].instance_id`: `i-00000001` is listed twice; expected every instance once",
    );
    refused(
        |plan| drop(plan.as_object_mut().unwrap().remove("created_at")),
        "plan `p`: `$`: missing field `created_at`",
    );
}

#[test]
fn a_policy_that_cannot_stand_is_refused_with_its_faults() {
    refused(
        |plan| plan["policy"]["on_violation"] = json!("pray"),
        "plan `p`: `policy` is not a valid policy: $.on_violation is \"pray\"; expected one of `report`, `enforce`, `stop`, `terminate`",
    );
}

#[test]
fn other_versions_accounts_and_files_are_refused() {
    refused(
        |plan| plan["version"] = json!(1),
        "plan `p` has format version 1; expected 2: create it again with this imdsctl",
    );
    refused(
        |plan| plan["account"] = json!("999999999999"),
        "plan `p` is for account `999999999999`, and these credentials are for account `111122223333`",
    );
    refused(
        |plan| plan["kind"] = json!("report"),
        "`p` is not a plan of imdsctl: `kind` is different; expected `imdsctl-plan`",
    );
    refused(
        |plan| *plan = json!([1]),
        "`p` is not a plan of imdsctl: invalid type: integer `1`, expected a string",
    );
}

#[test]
fn a_plan_holds_while_nothing_has_changed() {
    assert_eq!(holds(&instance()), Ok(()));
}

#[test]
fn an_instance_with_other_options_is_no_longer_as_planned() {
    let fields: [fn(&mut MetadataOptions); 3] = [
        |options| options.http_tokens = Some(HttpTokens::Required),
        |options| options.instance_metadata_tags = Some(Toggle::Enabled),
        |options| options.http_endpoint = None,
    ];
    for change in fields {
        let mut now = instance();
        change(&mut now.options);
        assert_eq!(
            holds(&now).unwrap_err(),
            "its options were changed since the plan was made"
        );
    }
}

#[test]
fn an_instance_about_which_the_policy_now_decides_otherwise_is_left() {
    let tagged = |key: &str| Instance {
        tags: [(key.to_owned(), "yes".to_owned())].into(),
        ..instance()
    };
    assert_eq!(
        holds(&tagged("keep")).unwrap_err(),
        "the plan's policy no longer sets its options: exempt by rule `kept`"
    );
    assert_eq!(
        holds(&tagged("hops")).unwrap_err(),
        "the plan sets http_tokens=required, and its policy now sets http_tokens=required hop_limit=2"
    );
    assert!(
        holds(&tagged("end")).is_err(),
        "stopping it was not agreed to"
    );
    let ended = Instance {
        state: Some(State::Terminated),
        ..instance()
    };
    assert!(holds(&ended).is_err());
}

#[test]
fn an_instance_that_may_only_be_reported_now_is_left() {
    let policy = Policy::parse(&policy().to_string()).unwrap();
    let evidence = Evidence::Usage(Usage::Unknown {
        because: NotKnown::NoData,
    });
    let old = Instance {
        attachments: Attachments::default(),
        ..instance()
    };
    let decision = decide(
        &policy,
        &old,
        at(),
        Discovery::Request(UsageGate::Policy),
        &evidence,
    );
    let now = ScannedInstance::new(&old, &decision, None, Vec::new());
    let error = entry().still_valid(&now).unwrap_err();
    assert!(error.contains("CloudWatch has no data"), "{error}");
}

#[track_caller]
fn age(minutes: i64, most: u16) -> Result<String, String> {
    let now = at() + SignedDuration::from_mins(minutes);
    let age = plan().age(Path::new("p"), now, most);
    age.map(|age| age.to_string())
        .map_err(|error| imds_core::chain::chain(&error))
}

#[test]
fn the_age_of_a_plan_is_in_minutes_hours_or_days() {
    let day = 24 * 60;
    for (minutes, shown) in [
        (-5, "0 minutes"),
        (0, "0 minutes"),
        (1, "1 minute"),
        (59, "59 minutes"),
        (60, "1 hour"),
        (2 * day - 1, "47 hours"),
        (2 * day, "2 days"),
        (7 * day, "7 days"),
    ] {
        assert_eq!(age(minutes, 7).as_deref(), Ok(shown));
    }
}

#[test]
fn a_plan_that_is_too_old_or_of_the_future_is_refused() {
    let week = 7 * 24 * 60;
    assert_eq!(
        age(week + 1, 7).unwrap_err(),
        "plan `p` is 7 days old; expected at most 7 days: create it again, or add `--max-plan-age DAYS`"
    );
    assert_eq!(age(week + 1, 8).as_deref(), Ok("7 days"));
    assert_eq!(
        age(24 * 60 + 1, 1).unwrap_err(),
        "plan `p` is 24 hours old; expected at most 1 day: create it again, or add `--max-plan-age DAYS`"
    );
    assert_eq!(
        age(-6, 7).unwrap_err(),
        "plan `p` was created at 2026-07-13T10:15:02Z, and this clock shows 2026-07-13T10:09:02Z: correct \
         the clock, or create the plan again"
    );
}
