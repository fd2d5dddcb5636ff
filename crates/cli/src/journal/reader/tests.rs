//! Journals that are whole, cut off, or not journals.

use imds_core::instance::{HttpTokens, Toggle};
use jiff::Timestamp;
use proptest::prelude::*;

use super::super::line::{Act, Answer, Answered, DefaultsAnswer, DefaultsIntent, End, Intent};
use super::*;

fn at() -> Timestamp {
    "2026-07-13T10:15:02Z".parse().unwrap()
}

fn begin() -> Line {
    Line::Journal(Begin {
        version: VERSION,
        act: Act::Enforce,
        account: "111122223333".to_owned(),
        imdsctl: "0.1.0".to_owned(),
        started_at: at(),
    })
}

fn options(tokens: HttpTokens) -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(tokens),
        http_endpoint: Some(Toggle::Enabled),
        ..Default::default()
    }
}

fn intent(n: usize) -> Line {
    Line::Intent(Intent {
        at: at(),
        region: "eu-central-1".to_owned(),
        instance_id: id(n),
        before: options(HttpTokens::Optional),
        send: options(HttpTokens::Required),
    })
}

fn answer(n: usize, answer: Answered<MetadataOptions>) -> Line {
    Line::Answer(Answer {
        at: at(),
        region: "eu-central-1".to_owned(),
        instance_id: id(n),
        answer,
    })
}

fn after() -> Answered<MetadataOptions> {
    Answered::After(options(HttpTokens::Required))
}

fn id(n: usize) -> InstanceId {
    InstanceId::try_from(format!("i-{n:017x}")).unwrap()
}

fn end() -> Line {
    let how = How::Done;
    Line::End(End { at: at(), how })
}

fn bytes(lines: &[Line]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line).unwrap();
        bytes.push(b'\n');
    }
    bytes
}

fn parse(bytes: &[u8]) -> Result<Journal, ReadError> {
    Journal::parse(Path::new("j"), bytes)
}

fn text_of(lines: &[Line]) -> String {
    String::from_utf8(bytes(lines)).unwrap()
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, expected);
}

#[test]
fn an_intent_without_an_answer_is_unanswered() {
    let lines = [begin(), intent(1), intent(2), answer(2, after())];
    let journal = parse(&bytes(&lines)).unwrap();
    let answered: Vec<bool> = journal
        .instances
        .iter()
        .map(|change| change.calls[0].answer.is_some())
        .collect();
    assert_eq!(answered, [false, true]);
    assert_eq!(
        journal.notices(),
        [
            "this enforce was killed before its end",
            "1 call has no answer and may have taken effect"
        ]
    );
}

#[test]
fn the_options_before_the_first_of_several_calls_are_kept() {
    let mut second = intent(1);
    if let Line::Intent(intent) = &mut second {
        intent.before = options(HttpTokens::Required);
    }
    let refusal = Answered::Error("throttled".to_owned());
    let lines = [
        begin(),
        intent(1),
        answer(1, refusal),
        second,
        answer(1, after()),
        end(),
    ];
    let journal = parse(&bytes(&lines)).unwrap();
    assert_eq!(journal.instances.len(), 1);
    let change = &journal.instances[0];
    assert_eq!(change.before, options(HttpTokens::Optional));
    assert_eq!(change.calls.len(), 2);
    assert_eq!(change.calls[0].answer, Some(Err("throttled".to_owned())));
    assert!(journal.notices().is_empty());
}

#[test]
fn one_id_in_two_regions_is_two_instances() {
    let mut elsewhere = intent(1);
    if let Line::Intent(intent) = &mut elsewhere {
        intent.region = "us-east-1".to_owned();
    }
    let journal = parse(&bytes(&[begin(), intent(1), elsewhere])).unwrap();
    assert_eq!(journal.instances.len(), 2);
}

#[test]
fn a_torn_last_line_is_left_out_and_told() {
    let mut torn = bytes(&[begin(), intent(1), intent(2)]);
    torn.truncate(torn.len() - 30);
    let journal = parse(&torn).unwrap();
    assert_eq!(journal.instances.len(), 1);
    assert!(journal.torn);
    assert!(
        journal
            .notices()
            .iter()
            .any(|notice| notice.contains("cut off"))
    );
}

#[test]
fn a_last_line_of_zeros_is_torn_as_a_power_cut_leaves_it() {
    let mut torn = bytes(&[begin(), intent(1)]);
    torn.extend([0; 512]);
    let journal = parse(&torn).unwrap();
    assert_eq!((journal.instances.len(), journal.torn), (1, true));
}

#[test]
fn a_bad_line_with_its_end_is_refused_even_as_the_last() {
    let text = text_of(&[begin(), intent(1)]) + "{\"line\":\"intent\",\"at\n";
    let error = parse(text.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("journal `j`, line 3: "), "{error}");
}

#[test]
fn a_bad_line_in_the_middle_is_refused_by_its_number_and_value() {
    let good = text_of(&[begin(), intent(1), answer(1, after())]);
    refused(
        &good.replacen("\"required\"", "\"maybe\"", 1),
        "journal `j`, line 2: unknown variant `maybe`, expected `optional` or `required`",
    );
    refused(
        &good.replacen("\"hop_limit\":null", "\"hop_limit\":65", 1),
        "journal `j`, line 2: hop limit `65` is not between 1 and 64",
    );
    refused(
        &good.replacen("\"hop_limit\"", "\"hops\"", 1),
        "journal `j`, line 2: unknown field `hops`, expected one of `http_tokens`, `http_endpoint`, `hop_limit`, `http_protocol_ipv6`, `instance_metadata_tags`",
    );
    refused(
        &good.replacen("{\"line\":\"intent\"", "{\"line\":\"intention\"", 1),
        "journal `j`, line 2: unknown variant `intention`, expected one of `journal`, `intent`, `answer`, `defaults-intent`, `defaults-answer`, `end` at column 19",
    );
    refused(
        &good.replacen("\"instance_id\":\"i-", "\"instance_id\":\"", 1),
        "journal `j`, line 2: `00000000000000001` is no instance id (`i-` and hexadecimal digits)",
    );
}

#[test]
fn an_answer_without_its_intent_is_refused() {
    refused(
        &text_of(&[begin(), answer(1, after())]),
        "journal `j`, line 2: an `answer` for instance `i-00000000000000001` of `eu-central-1`; expected its `intent` before it",
    );
    let twice = [begin(), intent(1), answer(1, after()), answer(1, after())];
    assert!(parse(&bytes(&twice)).is_err());
}

#[test]
fn lines_after_the_end_and_a_second_beginning_are_refused() {
    assert!(parse(&bytes(&[begin(), end(), intent(1)])).is_err());
    assert!(parse(&bytes(&[begin(), begin()])).is_err());
}

#[test]
fn another_version_is_refused_whatever_else_it_holds() {
    refused(
        "{\"line\":\"journal\",\"version\":2,\"new\":[]}\n{\"line\":\"news\"}\n",
        "journal `j` has format version 2; expected 1: use the imdsctl that wrote it",
    );
}

#[test]
fn other_files_are_no_journals() {
    let intent = text_of(&[intent(1)]);
    for text in ["", "\n", "{}", "[1]\n", "\u{0}\u{1}", &intent] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ReadError::NoJournal { .. }),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_beginning_of_this_version_that_is_wrong_is_told() {
    refused(
        "{\"line\":\"journal\",\"version\":1,\"act\":\"sing\"}\n",
        "journal `j`, line 1: unknown variant `sing`, expected one of `enforce`, `rollback`, `defaults`",
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Journal::read(Path::new("nowhere/journal")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not read journal `nowhere/journal`"
    );
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let error = "(\\PC|\n|\"){0,20}".prop_map(Answered::Error);
    let answered = prop_oneof![Just(after()), error];
    let step = (0..4_usize, answered, 0..3_u8);
    prop::collection::vec(step, 0..12).prop_map(|steps| {
        let mut lines = vec![begin()];
        for (n, answered, way) in steps {
            match way {
                0 => lines.push(intent(n)),
                1 => lines.extend([intent(n), answer(n, answered)]),
                _ => {
                    let region = format!("r-{n}");
                    lines.push(Line::DefaultsIntent(DefaultsIntent {
                        at: at(),
                        region: region.clone(),
                        before: MetadataDefaults::default(),
                        to: MetadataDefaults::default(),
                    }));
                    lines.push(Line::DefaultsAnswer(DefaultsAnswer {
                        at: at(),
                        region,
                        answer: Answered::After(MetadataDefaults::default()),
                    }));
                }
            }
        }
        lines.push(end());
        lines
    })
}

proptest! {
    /// However a journal is cut off, it reads as that many of its lines.
    #[test]
    fn every_prefix_reads_as_a_prefix(lines in lines(), cut in any::<prop::sample::Index>()) {
        let all = bytes(&lines);
        let cut = cut.index(all.len() + 1);
        let prefix = &all[..cut];
        let mut length = 0;
        // A line that lacks but its end is read.
        let whole = lines
            .iter()
            .take_while(|line| {
                length += bytes(std::slice::from_ref(line)).len();
                length <= cut + 1
            })
            .count();
        match parse(prefix) {
            Err(error) => {
                prop_assert_eq!(whole, 0, "{}", error);
                let none = matches!(error, ReadError::NoJournal { .. });
                prop_assert!(none, "{}", error);
            }
            Ok(journal) => {
                let expected = parse(&bytes(&lines[..whole])).unwrap();
                let ends = bytes(&lines[..whole]).len();
                prop_assert_eq!(journal.torn, cut > ends);
                prop_assert_eq!(Journal { torn: false, ..journal }, expected);
            }
        }
    }

    /// No bytes make it panic, and what follows a whole beginning is never taken for nothing.
    #[test]
    fn lines_of_noise_are_refused(noise in prop::collection::vec(any::<u8>(), 1..60)) {
        let mut text = bytes(&[begin()]);
        text.extend(&noise);
        text.push(b'\n');
        prop_assert!(parse(&text).is_err());
    }
}
