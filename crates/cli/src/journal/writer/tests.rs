//! A journal that is written, and one that cannot be.

use imds_core::instance::{HttpTokens, InstanceId};

use super::super::{Act, Call, Journal, ReadError};
use super::*;

const REGION: &str = "eu-central-1";

fn clock() -> Timestamp {
    "2026-07-13T10:15:02Z".parse().unwrap()
}

fn header() -> Header {
    Header {
        act: Act::Enforce,
        account: "111122223333".to_owned(),
        started_at: clock(),
    }
}

fn optional() -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        ..Default::default()
    }
}

fn required() -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(HttpTokens::Required),
        ..Default::default()
    }
}

fn instance(id: &str) -> Instance {
    Instance {
        options: optional(),
        ..Instance::unknown(InstanceId::try_from(id).unwrap(), REGION)
    }
}

fn writer(folder: &Path) -> Writer {
    Writer::create(&Place::File(folder.join("journal")), header(), clock).unwrap()
}

/// Puts another file in the place of the journal's, and returns that.
fn swap(writer: &Writer, file: File) -> File {
    std::mem::replace(&mut writer.state().file, file)
}

/// A file that refuses what is written.
fn read_only(writer: &Writer) -> File {
    File::open(writer.path()).unwrap()
}

#[test]
fn an_intent_is_on_disk_before_the_call_and_the_answer_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    writer.before(&instance("i-1"), &required()).unwrap();
    let text = || std::fs::read_to_string(writer.path()).unwrap();
    let lines = text();
    let last = lines.lines().last().unwrap();
    assert_eq!(
        last,
        r#"{"line":"intent","at":"2026-07-13T10:15:02Z","region":"eu-central-1","instance_id":"i-1","before":{"http_tokens":"optional","http_endpoint":null,"hop_limit":null,"http_protocol_ipv6":null,"instance_metadata_tags":null},"send":{"http_tokens":"required","http_endpoint":null,"hop_limit":null,"http_protocol_ipv6":null,"instance_metadata_tags":null}}"#
    );
    writer.after(&instance("i-1"), Err("no\nanswer"));
    assert!(text().ends_with("\"answer\":{\"error\":\"no\\nanswer\"}}\n"));
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let path = writer.path().to_owned();
    writer.before(&instance("i-1"), &required()).unwrap();
    writer.after(&instance("i-1"), Ok(&required()));
    let (none, enforced) = (
        MetadataDefaults::default(),
        MetadataDefaults {
            http_tokens: Some(HttpTokens::Required),
            ..Default::default()
        },
    );
    writer.before_defaults(REGION, &none, &enforced).unwrap();
    writer.after_defaults(REGION, Err("refused"));
    writer.close(How::Interrupted).unwrap();

    let journal = Journal::read(&path).unwrap();
    assert_eq!(journal.header, header());
    assert_eq!(journal.end, Some(How::Interrupted));
    assert!(!journal.torn);
    let [change] = &journal.instances[..] else {
        panic!("{journal:?}")
    };
    assert_eq!(
        (change.region.as_str(), change.id.as_str()),
        (REGION, "i-1")
    );
    assert_eq!(change.before, optional());
    assert_eq!(
        change.calls,
        [Call {
            sent: required(),
            answer: Some(Ok(required()))
        }]
    );
    let [change] = &journal.defaults[..] else {
        panic!("{journal:?}")
    };
    assert_eq!((change.region.as_str(), &change.before), (REGION, &none));
    assert_eq!(
        change.calls,
        [Call {
            sent: enforced,
            answer: Some(Err("refused".to_owned()))
        }]
    );
}

#[test]
fn tasks_that_write_at_once_do_not_mix_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    std::thread::scope(|scope| {
        for task in 0..8 {
            let writer = &writer;
            scope.spawn(move || {
                for n in 0..20 {
                    let instance = instance(&format!("i-{task}-{n}"));
                    writer.before(&instance, &required()).unwrap();
                    writer.after(&instance, Ok(&required()));
                }
            });
        }
    });
    let path = writer.path().to_owned();
    writer.close(How::Done).unwrap();
    let journal = Journal::read(&path).unwrap();
    assert_eq!(journal.instances.len(), 160);
    assert!(journal.notices().is_empty(), "{:?}", journal.notices());
}

#[test]
fn an_intent_that_cannot_be_written_forbids_its_call_and_all_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let good = swap(&writer, read_only(&writer));
    let first = writer.before(&instance("i-1"), &required()).unwrap_err();
    swap(&writer, good);
    let second = writer.before(&instance("i-2"), &required()).unwrap_err();
    assert_eq!(second.to_string(), first.to_string());
    let path = writer.path().to_owned();
    let error = writer.close(How::Done).unwrap_err();
    assert!(error.to_string().contains("no further call was made"));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, first.to_string());
    let journal = Journal::read(&path).unwrap();
    assert_eq!((journal.instances.len(), journal.end), (0, None));
}

#[test]
fn an_answer_that_cannot_be_written_forbids_all_later_calls() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    writer.before(&instance("i-1"), &required()).unwrap();
    let good = swap(&writer, read_only(&writer));
    writer.after(&instance("i-1"), Ok(&required()));
    swap(&writer, good);
    assert!(writer.before(&instance("i-2"), &required()).is_err());
    assert!(
        writer
            .before_defaults(
                REGION,
                &MetadataDefaults::default(),
                &MetadataDefaults::default()
            )
            .is_err()
    );
    assert!(writer.close(How::Done).is_err());
}

#[test]
fn answers_of_calls_under_way_are_kept_where_the_disk_takes_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    writer.before(&instance("i-1"), &required()).unwrap();
    writer.before(&instance("i-2"), &required()).unwrap();
    let good = swap(&writer, read_only(&writer));
    writer.after(&instance("i-1"), Ok(&required()));
    let mut good = good;
    // As a disk leaves it that fills up in the middle of a line.
    good.write_all(b"{\"line\":\"ans").unwrap();
    swap(&writer, good);
    writer.after(&instance("i-2"), Ok(&required()));
    let path = writer.path().to_owned();
    drop(writer);
    let journal = Journal::read(&path).unwrap();
    let answered: Vec<bool> = journal
        .instances
        .iter()
        .map(|change| change.calls[0].answer.is_some())
        .collect();
    assert_eq!(answered, [false, true]);
    assert!(!journal.torn);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_forbids_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    writer.fill_disk();
    let error = writer.before(&instance("i-1"), &required()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_journal_that_is_being_written_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let error = Journal::read(writer.path()).unwrap_err();
    assert!(matches!(error, ReadError::InUse { .. }), "{error:?}");
    let path = writer.path().to_owned();
    drop(writer);
    assert!(Journal::read(&path).is_ok());
}
