//! A journal that is written, and one that cannot be.

use imds_core::instance::{Instance, InstanceId};
use imds_core::options::{HttpTokens, MetadataOptions};

use super::super::{Journal, RecordedCommand};
use super::*;

const REGION: &str = "eu-central-1";

fn clock() -> Timestamp {
    "2026-07-13T10:15:02Z".parse().unwrap()
}

fn header() -> Header {
    Header {
        act: RecordedCommand::Enforce,
        account: "111122223333".to_owned(),
        by: Some("arn:aws:iam::111122223333:user/ada".to_owned()),
        started_at: clock(),
    }
}

fn options(tokens: HttpTokens) -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(tokens),
        ..Default::default()
    }
}

fn instance(id: &str) -> Instance {
    Instance {
        options: options(HttpTokens::Optional),
        ..Instance::unknown(InstanceId::try_from(id).unwrap(), REGION)
    }
}

fn intend(writer: &Writer, id: &str) -> io::Result<()> {
    let send = options(HttpTokens::Required);
    writer.record(&Record::Intent(&instance(id), &send))
}

fn answer(writer: &Writer, id: &str) -> io::Result<()> {
    let after = options(HttpTokens::Required);
    writer.record(&Record::Answer(&instance(id), Ok(&after)))
}

fn writer(folder: &Path) -> Writer {
    Writer::create(&Place::File(folder.join("journal")), header(), clock).unwrap()
}

/// Writes to a file that refuses it, and then to the journal's again.
fn with_errors(writer: &Writer, write: impl FnOnce()) {
    let read_only = File::open(writer.path()).unwrap();
    let file = std::mem::replace(&mut writer.state().file, read_only);
    write();
    writer.state().file = file;
}

#[test]
fn every_record_is_on_disk_immediately() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let text = || std::fs::read_to_string(writer.path()).unwrap();
    intend(&writer, "i-00000001").unwrap();
    assert_eq!(
        text().lines().last().unwrap(),
        r#"{"line":"intent","at":"2026-07-13T10:15:02Z","region":"eu-central-1","instance_id":"i-00000001","before":{"http_tokens":"optional","http_endpoint":null,"hop_limit":null,"http_protocol_ipv6":null,"instance_metadata_tags":null},"send":{"http_tokens":"required","http_endpoint":null,"hop_limit":null,"http_protocol_ipv6":null,"instance_metadata_tags":null}}"#
    );
    let error = Record::Answer(&instance("i-00000001"), Err("no\nanswer"));
    writer.record(&error).unwrap();
    assert!(text().ends_with("\"answer\":{\"error\":\"no\\nanswer\"}}\n"));
}

#[test]
fn after_an_error_every_intent_is_refused() {
    for write in [intend, answer] {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let path = writer.path().to_owned();
        intend(&writer, "i-00000001").unwrap();
        let mut first = None;
        with_errors(&writer, || first = write(&writer, "i-00000001").err());
        let first = first.unwrap().to_string();
        let second = intend(&writer, "i-00000002").unwrap_err();
        assert_eq!(second.to_string(), first);
        let error = writer.close(Ending::Done).unwrap_err();
        assert!(error.to_string().contains("no further call was made"));
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, first);
        let journal = Journal::read(&path).unwrap();
        assert_eq!((journal.changes.instances.len(), journal.end), (1, None));
    }
}

#[test]
fn answers_are_written_once_the_disk_accepts_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    intend(&writer, "i-00000001").unwrap();
    intend(&writer, "i-00000002").unwrap();
    with_errors(&writer, || assert!(answer(&writer, "i-00000001").is_err()));
    // As a disk leaves it that fills up in the middle of a line.
    let torn = writer.state().file.write_all(b"{\"line\":\"ans");
    torn.unwrap();
    answer(&writer, "i-00000002").unwrap();
    let path = writer.path().to_owned();
    drop(writer);
    let journal = Journal::read(&path).unwrap();
    let records = journal.changes.instances.iter();
    let answered: Vec<bool> = records.map(|it| it.calls[0].answer.is_some()).collect();
    assert_eq!(answered, [false, true]);
    assert!(!journal.torn);
}
