//! Whole rollbacks, from a journal to the instances as they were.

mod fake;

use std::cell::Cell;
use std::path::Path;

use imds_aws::Witness;
use imds_core::instance::{HopLimit, Instance, State, Toggle};
use jiff::Timestamp;

use self::fake::{Fake, REGIONS, before, id, refusal, required};
use super::outcome::{Outcome, Restored};
use super::*;
use crate::error::Exit;
use crate::journal::{Act, Header, How, Place, Writer};

const ACCOUNT: &str = "111122223333";

fn clock() -> Timestamp {
    "2026-07-13T10:15:02Z".parse().unwrap()
}

fn writer(folder: &Path, act: Act) -> Writer {
    let header = Header {
        act,
        account: ACCOUNT.to_owned(),
        started_at: clock(),
    };
    Writer::create(&Place::Folder(folder.to_owned()), header, clock).unwrap()
}

/// Requires tokens on all instances through a journal.
async fn enforce(fake: &Fake, folder: &Path) -> Journal {
    let writer = writer(folder, Act::Enforce);
    let instances: Vec<Instance> = fake.0.borrow().instances.values().cloned().collect();
    for instance in instances {
        writer.before(&instance, &required()).unwrap();
        let answer = fake.set_options(&instance, &required()).await;
        writer.after(&instance, Ok(&answer.unwrap()));
    }
    fake.set(|world| world.asked.clear());
    close(writer)
}

fn close(writer: Writer) -> Journal {
    let path = writer.path().to_owned();
    writer.close(How::Done).unwrap();
    Journal::read(&path).unwrap()
}

async fn planned(fake: &Fake, journal: &Journal) -> RollbackPlan {
    plan(fake, ACCOUNT, journal, &BTreeSet::new(), false)
        .await
        .unwrap()
}

async fn roll_back(fake: &Fake, journal: &Journal, folder: &Path) -> (RolledBack, Journal) {
    let plan = planned(fake, journal).await;
    apply_plan(fake, &plan, folder).await
}

async fn apply_plan(fake: &Fake, plan: &RollbackPlan, folder: &Path) -> (RolledBack, Journal) {
    let writer = writer(folder, Act::Rollback);
    let rolled = apply(fake, plan, &writer, || {}, || false).await;
    (rolled, close(writer))
}

fn reason(rolled: &RolledBack, n: usize) -> (Outcome, &str) {
    let of = |restored: &&Restored| restored.instance_id == id(n);
    let restored = rolled.instances.iter().find(of).unwrap();
    (restored.outcome, restored.reason.as_str())
}

#[tokio::test(start_paused = true)]
async fn every_instance_is_as_before_and_undoing_that_is_as_enforced() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(200);
    let journal = enforce(&fake, folder.path()).await;
    let done = Cell::new(0);
    let plan = planned(&fake, &journal).await;
    assert_eq!(plan.to_restore(), 200);
    let writer = writer(folder.path(), Act::Rollback);
    let rolled = apply(&fake, &plan, &writer, || done.set(done.get() + 1), || false).await;
    fake.all_are_as_before();
    assert_eq!(done.get(), 200);
    assert_eq!((rolled.summary.restored, rolled.exit()), (200, Exit::Fine));
    assert_eq!(fake.0.borrow().most_in_flight, 16);
    let ids: Vec<InstanceId> = (0..200).map(id).collect();
    let told: Vec<InstanceId> = rolled
        .instances
        .iter()
        .map(|i| i.instance_id.clone())
        .collect();
    assert_eq!(told, ids, "in the order of the journal");

    let own = close(writer);
    let (again, _) = roll_back(&fake, &own, folder.path()).await;
    assert_eq!(again.summary.restored, 200);
    for n in 0..200 {
        let enforced = options::over(&before(n), &required());
        assert_eq!(fake.instance(n).options, enforced);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_rollback_makes_no_call() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(3);
    let journal = enforce(&fake, folder.path()).await;
    roll_back(&fake, &journal, folder.path()).await;
    fake.set(|world| world.asked.clear());
    let plan = planned(&fake, &journal).await;
    assert_eq!(plan.to_restore(), 0);
    let settled = plan.settled().unwrap();
    assert_eq!((settled.summary.unchanged, settled.exit()), (3, Exit::Fine));
    assert!(fake.0.borrow().asked.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_killed_enforcement_is_undone_whether_or_not_its_last_calls_took_effect() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(10);
    let writer = writer(folder.path(), Act::Enforce);
    for n in 0..10 {
        let instance = fake.instance(n);
        writer.before(&instance, &required()).unwrap();
        if n < 4 {
            let after = fake.set_options(&instance, &required()).await.unwrap();
            writer.after(&instance, Ok(&after));
        } else if n < 7 {
            fake.set_options(&instance, &required()).await.unwrap();
        }
    }
    let path = writer.path().to_owned();
    drop(writer);
    let journal = Journal::read(&path).unwrap();
    let plan = planned(&fake, &journal).await;
    assert!(plan.to_string().contains("killed before its end"), "{plan}");
    let (rolled, _) = apply_plan(&fake, &plan, folder.path()).await;
    fake.all_are_as_before();
    assert_eq!((rolled.summary.restored, rolled.summary.unchanged), (7, 3));
}

#[tokio::test(start_paused = true)]
async fn an_ec2_that_forgets_what_a_call_leaves_out_is_told_all_options() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(9);
    let journal = enforce(&fake, folder.path()).await;
    fake.set(|world| world.forgets = true);
    let (rolled, own) = roll_back(&fake, &journal, folder.path()).await;
    fake.all_are_as_before();
    assert_eq!(rolled.summary.restored, 9);
    let calls = &own.instances[0].calls;
    assert_eq!(calls.len(), 2, "both calls are in the journal");
}

#[tokio::test(start_paused = true)]
async fn what_changed_since_is_left_and_the_rest_restored() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(3);
    let journal = enforce(&fake, folder.path()).await;
    fake.change(1, |instance| {
        instance.options.hop_limit = Some(HopLimit::MAX)
    });
    let (rolled, _) = roll_back(&fake, &journal, folder.path()).await;
    let changed = "changed since: it was left with hop_limit=2, and has hop_limit=64";
    assert_eq!(reason(&rolled, 1), (Outcome::Skipped, changed));
    assert_eq!(
        (rolled.summary.restored, rolled.exit()),
        (2, Exit::Violations)
    );

    let forced = plan(&fake, ACCOUNT, &journal, &BTreeSet::new(), true).await;
    let (rolled, _) = apply_plan(&fake, &forced.unwrap(), folder.path()).await;
    fake.all_are_as_before();
    assert_eq!(rolled.summary.unchanged, 2);
}

#[tokio::test(start_paused = true)]
async fn what_changed_while_the_plan_was_shown_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(4);
    let journal = enforce(&fake, folder.path()).await;
    let plan = planned(&fake, &journal).await;
    fake.change(1, |instance| {
        instance.options.http_endpoint = Some(Toggle::Disabled)
    });
    fake.change(2, |instance| instance.state = Some(State::Terminated));
    fake.set(|world| drop(world.instances.remove(&id(3))));
    let (rolled, own) = apply_plan(&fake, &plan, folder.path()).await;
    let changed = "it was changed while the plan was shown";
    assert_eq!(reason(&rolled, 1), (Outcome::Skipped, changed));
    let ended = "the instance is terminated";
    assert_eq!(reason(&rolled, 2), (Outcome::Gone, ended));
    let unknown = "EC2 no longer knows the instance";
    assert_eq!(reason(&rolled, 3), (Outcome::Gone, unknown));
    assert_eq!(own.instances.len(), 1, "no other call was made");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_does_not_answer_fails_and_keeps_no_other_from_its_rollback() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(6);
    let journal = enforce(&fake, folder.path()).await;
    let plan = planned(&fake, &journal).await;
    fake.set(|world| world.silent.extend([REGIONS[0].to_owned()]));
    let unseen = planned(&fake, &journal).await;
    assert_eq!(unseen.to_restore(), 4);
    let line = "eu-central-1 i-00000000000000000 leave: could not be seen: no\u{fffd}answer";
    assert!(unseen.to_string().contains(line), "{unseen}");
    let (rolled, _) = apply_plan(&fake, &plan, folder.path()).await;
    let why = "not restored: could not be seen: no\u{fffd}answer";
    assert_eq!(reason(&rolled, 0), (Outcome::Failed, why));
    assert_eq!((rolled.summary.restored, rolled.summary.failed), (4, 2));
    assert_eq!(rolled.exit(), Exit::Failed);
}

#[tokio::test(start_paused = true)]
async fn refusals_that_may_pass_are_borne_and_all_calls_are_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(2);
    let journal = enforce(&fake, folder.path()).await;
    let passing = [
        refusal("IncorrectInstanceState", true),
        refusal("lost", true),
    ];
    fake.set(|world| drop(world.refusals.insert(id(0), passing.into())));
    let (rolled, own) = roll_back(&fake, &journal, folder.path()).await;
    fake.all_are_as_before();
    assert_eq!(rolled.summary.restored, 2);
    let of_first = own.instances.iter().find(|change| change.id == id(0));
    let errors: Vec<bool> = of_first
        .unwrap()
        .calls
        .iter()
        .map(|call| matches!(call.answer, Some(Err(_))))
        .collect();
    assert_eq!(errors, [true, true, false]);
    let asked = fake.0.borrow().asked.clone();
    let of_first: Vec<_> = asked.iter().filter(|(of, _)| *of == id(0)).collect();
    assert_eq!(of_first[0].1.http_endpoint, Some(Toggle::Enabled));
    assert_eq!(
        of_first[1].1.http_endpoint, None,
        "it may be disabled since"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_good_fails_after_one_call() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(2);
    let journal = enforce(&fake, folder.path()).await;
    let refused = [refusal("OperationNotPermitted: \u{1b}[31mno", false)];
    fake.set(|world| drop(world.refusals.insert(id(0), refused.into())));
    let (rolled, own) = roll_back(&fake, &journal, folder.path()).await;
    let why = "not restored: OperationNotPermitted: \u{fffd}[31mno";
    assert_eq!(reason(&rolled, 0), (Outcome::Failed, why));
    assert_eq!((rolled.summary.restored, rolled.exit()), (1, Exit::Failed));
    assert_eq!(own.instances[0].calls.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_without_end_are_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(1);
    let journal = enforce(&fake, folder.path()).await;
    let refusals = std::iter::repeat_n(refusal("Unavailable", true), 1000);
    fake.set(|world| drop(world.refusals.insert(id(0), refusals.collect())));
    let (rolled, _) = roll_back(&fake, &journal, folder.path()).await;
    let why = "not restored: Unavailable";
    assert_eq!(reason(&rolled, 0), (Outcome::Failed, why));
}

#[tokio::test(start_paused = true)]
async fn once_halted_no_call_is_made_and_what_is_left_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(60);
    let journal = enforce(&fake, folder.path()).await;
    let plan = planned(&fake, &journal).await;
    let writer = writer(folder.path(), Act::Rollback);
    let done = Cell::new(0);
    let count = || done.set(done.get() + 1);
    let rolled = apply(&fake, &plan, &writer, count, || done.get() >= 10).await;
    let calls = fake.0.borrow().asked.len();
    assert!(
        (10..=32).contains(&calls),
        "those in flight are finished: {calls}"
    );
    assert_eq!(rolled.summary.restored, calls);
    assert_eq!(rolled.summary.failed, 60 - calls);
    assert_eq!(
        reason(&rolled, 59),
        (Outcome::Failed, "not restored: interrupted")
    );
    let own = close(writer);
    assert_eq!(own.instances.len(), calls);
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn without_a_journal_no_call_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(5);
    let journal = enforce(&fake, folder.path()).await;
    let plan = planned(&fake, &journal).await;
    let writer = writer(folder.path(), Act::Rollback);
    writer.fill_disk();
    let rolled = apply(&fake, &plan, &writer, || {}, || false).await;
    assert!(fake.0.borrow().asked.is_empty());
    let (outcome, why) = reason(&rolled, 4);
    assert_eq!(outcome, Outcome::Failed);
    assert!(
        why.starts_with("not restored, for the journal could not be written: "),
        "{why}"
    );
    assert!(writer.close(How::Done).is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_true_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(1);
    let journal = enforce(&fake, folder.path()).await;
    fake.set(|world| world.lies = true);
    let (rolled, _) = roll_back(&fake, &journal, folder.path()).await;
    let why = "EC2 answered that http_tokens=optional was set, and shows http_tokens=required";
    assert_eq!(reason(&rolled, 0), (Outcome::Failed, why));
}

#[tokio::test(start_paused = true)]
async fn it_waits_until_ec2_has_applied_the_options_and_says_so_if_not() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(1);
    let journal = enforce(&fake, folder.path()).await;
    fake.set(|world| world.pending_for = 5);
    let (rolled, own) = roll_back(&fake, &journal, folder.path()).await;
    assert_eq!(
        reason(&rolled, 0),
        (Outcome::Restored, "it has again what it had")
    );
    fake.set(|world| world.pending_for = usize::MAX);
    let (rolled, _) = roll_back(&fake, &own, folder.path()).await;
    let why = "it has again what it had; EC2 has not applied it yet";
    assert_eq!(reason(&rolled, 0), (Outcome::Restored, why));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_stopped_instance_to_apply_them() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(1);
    let journal = enforce(&fake, folder.path()).await;
    fake.change(0, |instance| instance.state = Some(State::Stopped));
    fake.set(|world| world.pending_for = usize::MAX);
    let (rolled, _) = roll_back(&fake, &journal, folder.path()).await;
    assert_eq!(
        reason(&rolled, 0),
        (Outcome::Restored, "it has again what it had")
    );
}

fn tokens_enforced() -> MetadataDefaults {
    MetadataDefaults {
        http_tokens_enforced: Some(Toggle::Enabled),
        ..Default::default()
    }
}

#[tokio::test(start_paused = true)]
async fn enforced_tokens_are_found_beforehand_in_their_region_alone() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(3);
    let journal = enforce(&fake, folder.path()).await;
    let region = REGIONS[1].to_owned();
    fake.set(|world| drop(world.defaults.insert(region, tokens_enforced())));
    let (rolled, own) = roll_back(&fake, &journal, folder.path()).await;
    let why = "`HttpTokensEnforced` is on in the region, so that http_tokens=optional is refused";
    assert_eq!(reason(&rolled, 1), (Outcome::Skipped, why));
    assert_eq!(
        (rolled.summary.restored, rolled.exit()),
        (2, Exit::Violations)
    );
    assert_eq!(own.instances.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn defaults_that_cannot_be_read_hinder_nothing_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(3);
    let journal = enforce(&fake, folder.path()).await;
    fake.set(|world| world.secret.extend(REGIONS.map(str::to_owned)));
    let plan = planned(&fake, &journal).await;
    let note =
        "note: whether tokens are enforced in us-east-1 could not be seen: UnauthorizedOperation";
    assert!(plan.to_string().contains(note), "{plan}");
    apply_plan(&fake, &plan, folder.path()).await;
    fake.all_are_as_before();
}

/// Sets the defaults of all regions through a journal, beside what is in it.
fn set_defaults(fake: &Fake, writer: &Writer) {
    let none = MetadataDefaults::default();
    for region in REGIONS {
        writer
            .before_defaults(region, &none, &tokens_enforced())
            .unwrap();
        writer.after_defaults(region, Ok(&tokens_enforced()));
        let region = region.to_owned();
        fake.set(|world| drop(world.defaults.insert(region, tokens_enforced())));
    }
}

#[tokio::test(start_paused = true)]
async fn defaults_are_set_back_region_by_region_unless_they_changed() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let writer = writer(folder.path(), Act::Defaults);
    set_defaults(&fake, &writer);
    let journal = close(writer);
    let disabled = MetadataDefaults {
        http_tokens_enforced: Some(Toggle::Disabled),
        ..Default::default()
    };
    let region = REGIONS[2].to_owned();
    fake.set(|world| drop(world.defaults.insert(region, disabled.clone())));
    let plan = planned(&fake, &journal).await;
    let line = "us-east-1 account defaults set http_tokens_enforced=no-preference\n";
    assert!(plan.to_string().contains(line), "{plan}");
    let (rolled, own) = apply_plan(&fake, &plan, folder.path()).await;
    let outcomes: Vec<Outcome> = rolled.defaults.iter().map(|d| d.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::Restored, Outcome::Restored, Outcome::Skipped]
    );
    let enforced = |region: &str| fake.0.borrow().defaults[region].http_tokens_enforced;
    assert_eq!(REGIONS.map(enforced), [None, None, Some(Toggle::Disabled)]);

    let (again, _) = roll_back(&fake, &own, folder.path()).await;
    assert_eq!((again.summary.restored, own.defaults.len()), (2, 2));
    assert_eq!(enforced(REGIONS[0]), Some(Toggle::Enabled));
}

#[tokio::test(start_paused = true)]
async fn defaults_that_changed_while_the_plan_was_shown_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let writer = writer(folder.path(), Act::Defaults);
    set_defaults(&fake, &writer);
    let plan = planned(&fake, &close(writer)).await;
    let region = REGIONS[0].to_owned();
    let others = MetadataDefaults {
        hop_limit: Some(HopLimit::MAX),
        ..Default::default()
    };
    fake.set(|world| drop(world.defaults.insert(region.clone(), others.clone())));
    let (rolled, own) = apply_plan(&fake, &plan, folder.path()).await;
    assert_eq!((rolled.summary.restored, rolled.summary.skipped), (2, 1));
    assert_eq!(own.defaults.len(), 2);
    assert_eq!(fake.0.borrow().defaults[&region], others);
}

#[tokio::test(start_paused = true)]
async fn instances_go_back_after_the_defaults_that_would_refuse_it() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(3);
    let writer = writer(folder.path(), Act::Enforce);
    for n in 0..3 {
        let instance = fake.instance(n);
        writer.before(&instance, &required()).unwrap();
        let after = fake.set_options(&instance, &required()).await.unwrap();
        writer.after(&instance, Ok(&after));
    }
    set_defaults(&fake, &writer);
    let (rolled, _) = roll_back(&fake, &close(writer), folder.path()).await;
    fake.all_are_as_before();
    assert_eq!(rolled.summary.restored, 6);
}

#[tokio::test(start_paused = true)]
async fn a_filter_restores_these_instances_and_no_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(4);
    let mut journal = enforce(&fake, folder.path()).await;
    journal.defaults.push(crate::journal::DefaultsChange {
        region: REGIONS[0].to_owned(),
        before: tokens_enforced(),
        calls: Vec::new(),
    });
    let filter = BTreeSet::from([id(1), id(3)]);
    let chosen = plan(&fake, ACCOUNT, &journal, &filter, false)
        .await
        .unwrap();
    assert!(chosen.defaults.is_empty());
    let (rolled, _) = apply_plan(&fake, &chosen, folder.path()).await;
    assert_eq!(rolled.summary.restored, 2);
    for n in 0..4 {
        let back = fake.instance(n).options == before(n);
        assert_eq!(back, n % 2 == 1);
    }
    let filter = BTreeSet::from([id(1), id(77)]);
    let error = plan(&fake, ACCOUNT, &journal, &filter, false)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`--instance` names what is not in the journal: i-0000000000000004d"
    );
}

#[tokio::test(start_paused = true)]
async fn a_journal_of_another_account_is_refused_before_any_call() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(1);
    let journal = enforce(&fake, folder.path()).await;
    let refused = plan(&fake, "999999999999", &journal, &BTreeSet::new(), true).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the journal is of account `111122223333`, and these credentials are of account `999999999999`; use a profile of the first"
    );
    assert_eq!(fake.0.borrow().looks, 0);
}

#[tokio::test(start_paused = true)]
async fn the_plan_shows_every_instance_on_a_line_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(2);
    let journal = enforce(&fake, folder.path()).await;
    fake.change(0, |instance| {
        let name = "web\n\u{1b}[2Jeu-central-1 i-2".to_owned();
        instance.tags.insert("Name".to_owned(), name);
    });
    fake.change(1, |instance| {
        instance.options.hop_limit = Some(HopLimit::MAX)
    });
    let shown = planned(&fake, &journal).await.to_string();
    assert_eq!(
        shown,
        "eu-central-1 i-00000000000000000 (web\u{fffd}\u{fffd}[2Jeu-central-1 i-2) set http_tokens=optional http_endpoint=enabled\n\
         us-east-1 i-00000000000000001 leave: changed since: it was left with hop_limit=2, and has hop_limit=64\n\
         1 of 2 to restore\n\
         1 left that `--force` would restore too\n"
    );
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_json_and_lines_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with(2);
    let journal = enforce(&fake, folder.path()).await;
    fake.change(1, |instance| instance.state = Some(State::Terminated));
    let (rolled, own) = roll_back(&fake, &journal, folder.path()).await;
    assert_eq!(
        rolled.to_string(),
        "eu-central-1 i-00000000000000000 restored: it has again what it had\n\
         us-east-1 i-00000000000000001 gone: the instance is terminated\n\
         1 restored, 0 unchanged, 0 skipped, 1 gone, 0 failed\n"
    );
    assert_eq!(rolled.exit(), Exit::Fine);
    let json = serde_json::to_value(&rolled).unwrap();
    assert_eq!(json["trigger"], "rollback");
    assert_eq!(json["account"], ACCOUNT);
    assert_eq!(json["summary"]["restored"], 1);
    assert_eq!(json["journal"], own.path.to_str().unwrap());
    let first = &json["instances"][0];
    assert_eq!(first["outcome"], "restored");
    assert_eq!(first["before"]["http_tokens"], "required");
    assert_eq!(first["after"]["http_tokens"], "optional");
}
