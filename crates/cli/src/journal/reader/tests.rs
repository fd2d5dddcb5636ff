//! Journals that are complete, cut off, or not journals.

use imds_core::instance::InstanceId;
use imds_core::options::{HttpTokens, Toggle};
use jiff::Timestamp;
use proptest::prelude::*;

use super::super::line::RecordedCommand;
use super::*;

const REGION: &str = "eu-central-1";

fn at() -> Timestamp {
    "2026-07-13T10:15:02Z".parse().unwrap()
}

fn begin() -> Line {
    Line::Journal {
        version: VERSION,
        act: RecordedCommand::Enforce,
        account: "111122223333".to_owned(),
        imdsctl: "0.1.0".to_owned(),
        by: Some("arn:aws:iam::111122223333:user/ada".to_owned()),
        started_at: at(),
    }
}

fn options(tokens: HttpTokens) -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some(tokens),
        http_endpoint: Some(Toggle::Enabled),
        ..Default::default()
    }
}

fn intent(n: usize, region: &str, before: HttpTokens) -> Line {
    Line::Intent {
        at: at(),
        region: region.to_owned(),
        instance_id: id(n),
        before: options(before),
        send: options(HttpTokens::Required),
    }
}

fn first_intent(n: usize) -> Line {
    intent(n, REGION, HttpTokens::Optional)
}

fn answer(n: usize, answer: AnswerRecord<MetadataOptions>) -> Line {
    Line::Answer {
        at: at(),
        region: REGION.to_owned(),
        instance_id: id(n),
        answer,
    }
}

fn after() -> AnswerRecord<MetadataOptions> {
    AnswerRecord::After(options(HttpTokens::Required))
}

fn id(n: usize) -> InstanceId {
    InstanceId::try_from(format!("i-{n:017x}")).unwrap()
}

fn end() -> Line {
    let how = Ending::Done;
    Line::End { at: at(), how }
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

fn text(lines: &[Line]) -> String {
    String::from_utf8(bytes(lines)).unwrap()
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, format!("journal `j`{expected}"));
}

#[test]
fn calls_are_joined_by_instance_and_region() {
    let refusal = AnswerRecord::Error("throttled".to_owned());
    let lines = [
        begin(),
        first_intent(1),
        answer(1, refusal.clone()),
        intent(1, REGION, HttpTokens::Required),
        intent(1, "us-east-1", HttpTokens::Optional),
        answer(1, after()),
    ];
    let journal = parse(&bytes(&lines)).unwrap();
    let [here, there] = &journal.changes.instances[..] else {
        panic!("{journal:?}")
    };
    assert_eq!(here.before, options(HttpTokens::Optional));
    let answers = here.calls.iter().map(|call| call.answer.clone());
    let answers: Vec<_> = answers.collect();
    assert_eq!(answers, [Some(refusal), Some(after())]);
    assert_eq!(there.calls[0].answer, None);
    assert_eq!(
        journal.notices(),
        [
            "the recorded `enforce` was killed before it finished",
            "1 call has no answer and may have taken effect"
        ]
    );
}

#[test]
fn a_last_line_of_zeros_is_torn_as_a_power_cut_leaves_it() {
    let mut torn = bytes(&[begin(), first_intent(1)]);
    torn.extend([0; 512]);
    let journal = parse(&torn).unwrap();
    assert_eq!((journal.changes.instances.len(), journal.torn), (1, true));
}

#[test]
fn an_invalid_line_is_refused_with_its_number() {
    let good = text(&[begin(), first_intent(1), answer(1, after())]);
    for (from, to, error) in [
        (
            "\"hop_limit\":null",
            "\"hop_limit\":65",
            ", line 2: hop limit `65` is not between 1 and 64",
        ),
        (
            "\"hop_limit\"",
            "\"hops\"",
            ", line 2: unknown field `hops`, expected one of `http_tokens`, `http_endpoint`, `hop_limit`, `http_protocol_ipv6`, `instance_metadata_tags`",
        ),
        (
            "\"region\"",
            "\"place\"",
            ", line 2: unknown field `place`, expected one of `at`, `region`, `instance_id`, `before`, `send`",
        ),
        (
            "{\"line\":\"intent\"",
            "{\"line\":\"intention\"",
            ", line 2: unknown variant `intention`, expected one of `journal`, `intent`, `answer`, `defaults-intent`, `defaults-answer`, `end` at column 19",
        ),
        (
            "\"act\":\"enforce\"",
            "\"act\":\"sing\"",
            ", line 1: unknown variant `sing`, expected one of `enforce`, `rollback`, `defaults`",
        ),
    ] {
        refused(&good.replacen(from, to, 1), error);
    }
}

#[test]
fn lines_in_an_impossible_order_are_refused() {
    let no_intent =
        ": an `answer` for eu-central-1 i-00000000000000001; expected its `intent` before it";
    let twice = [
        begin(),
        first_intent(1),
        answer(1, after()),
        answer(1, after()),
    ];
    for (lines, error) in [
        (
            &[begin(), answer(1, after())][..],
            format!(", line 2{no_intent}"),
        ),
        (&twice, format!(", line 4{no_intent}")),
        (
            &[begin(), end(), first_intent(1)],
            ", line 3: a line after the `end`; expected no more".to_owned(),
        ),
        (
            &[begin(), begin()],
            ", line 2: a second `journal`; expected one".to_owned(),
        ),
    ] {
        refused(&text(lines), &error);
    }
    let no_line_feed = text(&[begin(), first_intent(1)]) + "{\"line\":\"intent\",\"at\n";
    assert!(parse(no_line_feed.as_bytes()).is_err());
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let error = "(\\PC|\n|\"){0,20}".prop_map(AnswerRecord::Error);
    let answered = prop_oneof![Just(after()), error];
    let step = (0..4_usize, answered, 0..3_u8);
    prop::collection::vec(step, 0..12).prop_map(|steps| {
        let mut lines = vec![begin()];
        for (n, answered, kind) in steps {
            let (at, region) = (at(), format!("r-{n}"));
            match kind {
                0 => lines.push(first_intent(n)),
                1 => lines.extend([first_intent(n), answer(n, answered)]),
                _ => lines.extend([
                    Line::DefaultsIntent {
                        at,
                        region: region.clone(),
                        before: MetadataDefaults::default(),
                        to: MetadataDefaults::default(),
                    },
                    Line::DefaultsAnswer {
                        at,
                        region,
                        answer: AnswerRecord::After(MetadataDefaults::default()),
                    },
                ]),
            }
        }
        lines.push(end());
        lines
    })
}

proptest! {
    /// Wherever a journal is cut off, it reads as the lines before that.
    #[test]
    fn every_prefix_reads_as_a_prefix(lines in lines(), cut in any::<prop::sample::Index>()) {
        let all = bytes(&lines);
        let cut = cut.index(all.len() + 1);
        let mut length = 0;
        // A line that lacks only its line feed is read.
        let complete = lines
            .iter()
            .take_while(|line| {
                length += bytes(std::slice::from_ref(line)).len();
                length <= cut + 1
            })
            .count();
        match parse(&all[..cut]) {
            Err(error) => {
                prop_assert_eq!(complete, 0, "{}", error);
                let no_journal = matches!(error, ReadError::NoJournal { .. });
                prop_assert!(no_journal, "{}", error);
            }
            Ok(journal) => {
                let prefix = bytes(&lines[..complete]);
                prop_assert_eq!(journal.torn, cut > prefix.len());
                prop_assert_eq!(Journal { torn: false, ..journal }, parse(&prefix).unwrap());
            }
        }
    }

    /// No bytes make it panic, and no noise after a valid first line is ignored.
    #[test]
    fn lines_of_noise_are_refused(noise in prop::collection::vec(any::<u8>(), 1..60)) {
        let mut text = bytes(&[begin()]);
        text.extend(&noise);
        text.push(b'\n');
        prop_assert!(parse(&text).is_err());
    }
}
