//! What is done by age, news, use and policy.

use imds_core::age::Attachments;
use imds_core::decide::{Discovery, Evidence, NonCompliant, Question, UsageGate};
use imds_core::instance::{DedicatedCapacity, Instance, SpotRequest, State};
use imds_core::options::{HttpTokens, MetadataOptions, Toggle};
use imds_core::plan::Step;
use imds_core::policy::{Action, Policy};
use imds_core::usage::{NotKnown, RejectedCalls, Usage};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::now;
use crate::oracle::{ExpectedDecision, oracle, rule_of};
use crate::strategies::{instance, options, policy};
use crate::table::{Answer, Counts, News, Times, at_most, first_launched, restored};

fn ago(seconds: i64) -> Timestamp {
    now()
        .checked_sub(SignedDuration::from_secs(seconds))
        .unwrap()
}

/// Around every boundary, and anywhere.
fn seconds() -> impl Strategy<Value = i64> {
    let boundaries: Vec<i64> = [-300, 0, 60, 900, 3600, 86_400, 604_800]
        .into_iter()
        .flat_map(|boundary| [-121, -120, -1, 0, 1, 120, 121].map(|near| boundary + near))
        .collect();
    prop_oneof![
        4 => select(boundaries),
        2 => 0..1000_i64,
        1 => -1000..1_000_000_i64,
        1 => Just(100_000_000_i64),
    ]
}

/// Mostly a launch, of which some times are missing, and some are of later or earlier.
fn times() -> impl Strategy<Value = Times> {
    let odd = || prop::option::weighted(0.15, seconds());
    let primary = prop::option::weighted(0.9, odd());
    let second = prop::option::weighted(0.2, odd());
    let volumes = prop::collection::vec(odd(), 0..3);
    let started = prop::option::weighted(0.9, odd());
    (seconds(), primary, second, volumes, started).prop_map(
        |(launch, primary, second, volumes, started)| Times {
            interfaces: [(0, primary), (1, second)]
                .into_iter()
                .filter_map(|(index, at)| Some((index, at?.unwrap_or(launch))))
                .collect(),
            volumes: volumes.into_iter().map(|at| at.unwrap_or(launch)).collect(),
            started: started.map(|at| at.unwrap_or(launch)),
        },
    )
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        3 => seconds().prop_map(News::Launch),
        1 => Just(News::LaunchWithoutTime),
        2 => Just(News::Start),
        2 => Just(News::Sweep),
        2 => Just(News::Drift),
        1 => select(vec![Counts::NotAtAll, Counts::AsInASweep, Counts::UnlessUnused])
            .prop_map(News::Person),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    select(
        &[
            Answer::NotAsked,
            Answer::Unused,
            Answer::InUse,
            Answer::NoData,
            Answer::TooLittleData,
            Answer::Incomplete,
            Answer::NoCallRejected,
            Answer::CallsRejected,
        ][..],
    )
}

/// What else keeps an instance from more.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// `None`: no Spot Instance; else whether its id is known, and whether it is persistent.
    spot: Option<(bool, Option<bool>)>,
    /// On a Dedicated Host.
    dedicated: bool,
}

fn facts() -> impl Strategy<Value = Facts> {
    let spot = prop::option::weighted(0.3, (any::<bool>(), any::<Option<bool>>()));
    let dedicated = prop::bool::weighted(0.1);
    (spot, dedicated).prop_map(|(spot, dedicated)| Facts { spot, dedicated })
}

fn with(mut instance: Instance, times: &Times, facts: Facts) -> Instance {
    instance.started_at = times.started.map(ago);
    instance.attachments = Attachments::default();
    for &(device_index, seconds) in &times.interfaces {
        instance
            .attachments
            .add_interface(device_index, ago(seconds));
    }
    for &seconds in &times.volumes {
        instance.attachments.add_volume(ago(seconds));
    }
    instance.spot = facts.spot.map(|(has_id, is_persistent)| SpotRequest {
        id: has_id.then(|| "sir-0123abcd".to_owned()),
        is_persistent,
    });
    if facts.dedicated {
        instance.dedicated = Some(DedicatedCapacity::DedicatedHost);
    }
    instance
}

/// The options that a change set: each not at all, as it is found now, or otherwise.
#[derive(Debug, Clone)]
struct Changed {
    how: [u8; 5],
    otherwise: MetadataOptions,
}

fn changed() -> impl Strategy<Value = Changed> {
    let how = prop::array::uniform5(0..4_u8);
    (how, options()).prop_map(|(how, otherwise)| Changed { how, otherwise })
}

impl Changed {
    fn set(&self, found: &MetadataOptions) -> MetadataOptions {
        let Changed { how, otherwise } = self;
        fn one<T: Copy>(how: u8, found: Option<T>, otherwise: Option<T>) -> Option<T> {
            match how {
                0 | 1 => None,
                2 => found,
                _ => otherwise,
            }
        }
        MetadataOptions {
            http_tokens: one(how[0], found.http_tokens, otherwise.http_tokens),
            http_endpoint: one(how[1], found.http_endpoint, otherwise.http_endpoint),
            hop_limit: one(how[2], found.hop_limit, otherwise.hop_limit),
            http_protocol_ipv6: one(
                how[3],
                found.http_protocol_ipv6,
                otherwise.http_protocol_ipv6,
            ),
            instance_metadata_tags: one(
                how[4],
                found.instance_metadata_tags,
                otherwise.instance_metadata_tags,
            ),
        }
    }
}

/// Drift is only what caused one of the violations, and that of tokens if there is one; else the change
/// only says where to look.
fn drift_or_look(
    news: News,
    found: &MetadataOptions,
    set: &MetadataOptions,
    violations: &[&str],
) -> News {
    let caused = |name: &str| match name {
        "http_tokens" => found.http_tokens.is_some() && set.http_tokens == found.http_tokens,
        "hop_limit" => found.hop_limit.is_some() && set.hop_limit == found.hop_limit,
        "http_endpoint" => {
            found.http_endpoint.is_some() && set.http_endpoint == found.http_endpoint
        }
        "http_protocol_ipv6" => {
            found.http_protocol_ipv6.is_some() && set.http_protocol_ipv6 == found.http_protocol_ipv6
        }
        "instance_metadata_tags" => {
            found.instance_metadata_tags.is_some()
                && set.instance_metadata_tags == found.instance_metadata_tags
        }
        other => panic!("{other}"),
    };
    match news {
        News::Drift if !violations.iter().any(|name| caused(name)) => News::Sweep,
        News::Drift if violations.contains(&"http_tokens") && !caused("http_tokens") => News::Sweep,
        _ => news,
    }
}

fn discovery(news: News, set: MetadataOptions) -> Discovery {
    match news {
        News::Launch(seconds) => Discovery::Launch {
            at: Some(ago(seconds)),
        },
        News::LaunchWithoutTime => Discovery::Launch { at: None },
        News::Start => Discovery::Start,
        News::Sweep => Discovery::Sweep,
        News::Drift => Discovery::Drift {
            at: Some(ago(5)),
            set,
        },
        News::Person(counts) => Discovery::Request(match counts {
            Counts::NotAtAll => UsageGate::Ignored,
            Counts::AsInASweep => UsageGate::Policy,
            Counts::UnlessUnused => UsageGate::UnusedOnly,
        }),
    }
}

fn evidence(answer: Answer) -> Evidence {
    let unknown = |because| Evidence::Usage(Usage::Unknown { because });
    match answer {
        Answer::NotAsked => Evidence::NotAsked,
        Answer::Unused => Evidence::Usage(Usage::Unused {
            since: ago(1_209_600),
            not_started_within_window: false,
        }),
        Answer::InUse => Evidence::Usage(Usage::InUse {
            calls: 3,
            last_at: ago(5),
        }),
        Answer::NoData => unknown(NotKnown::NoData),
        Answer::TooLittleData => unknown(NotKnown::TooLittleData(3)),
        Answer::Incomplete => unknown(NotKnown::Incomplete("PartialData".to_owned())),
        Answer::NoCallRejected => Evidence::RejectedCalls(None),
        Answer::CallsRejected => Evidence::RejectedCalls(Some(RejectedCalls {
            calls: 3,
            last_at: ago(5),
        })),
    }
}

fn milder(a: &str, b: &str) -> String {
    let words = ["report", "enforce", "stop", "terminate"];
    let place = |word: &str| words.iter().position(|it| *it == word).unwrap();
    words[place(a).min(place(b))].to_owned()
}

/// What is to be done to an instance that the policy would have `required`, and what is to be asked.
fn expected(
    (document, required): (&Value, &str),
    instance: &Instance,
    (times, facts): (&Times, Facts),
    (news, answer): (News, Answer),
) -> (String, Option<Question>) {
    let table = at_most(document, times, news, answer);
    if required == "report" {
        return ("report".to_owned(), None);
    }
    if table == "ask" {
        let question = match news {
            News::Drift => Question::RejectedCalls,
            _ => Question::Usage,
        };
        return ("report".to_owned(), Some(question));
    }
    let mut action = milder(required, &table);
    let rule = rule_of(document, instance);
    let even_if_replaced = rule.is_some_and(|rule| rule["even_if_replaced"] == true);
    let grouped = instance.tags.contains_key("aws:autoscaling:groupName");
    let stopped = instance.state == Some(State::Stopped) && required == "stop";
    if stopped || facts.dedicated || restored(times) || (grouped && !even_if_replaced) {
        action = milder(&action, "enforce");
    }
    let mut question = None;
    if let Some((has_id, is_persistent)) = facts.spot
        && !even_if_replaced
        && is_persistent != Some(false)
        && action != "report"
        && action != "enforce"
    {
        if has_id && is_persistent.is_none() {
            question = Some(Question::SpotRequest);
        }
        action = "enforce".to_owned();
    }
    (action, question)
}

fn decided(
    policy: &Policy,
    instance: &Instance,
    (news, changed): (News, &Changed),
    answer: Answer,
) -> Option<NonCompliant> {
    let evidence = evidence(answer);
    let discovery = discovery(news, changed.set(&instance.options));
    let step = Step::new(policy, instance.clone(), now(), discovery, &evidence);
    step.non_compliant().cloned()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    #[test]
    fn what_is_done_is_what_the_table_says(
        (document, policy) in policy(), instance in instance(), times in times(), facts in facts(),
        news in news(), changed in changed(), answer in answer(),
    ) {
        let instance = with(instance, &times, facts);
        let decided = decided(&policy, &instance, (news, &changed), answer);
        match oracle(&document, &instance) {
            ExpectedDecision::NonCompliant { action, options } => {
                let set = changed.set(&instance.options);
                let news = drift_or_look(news, &instance.options, &set, &options);
                let case = (&times, facts);
                let expected = expected((&document, &action), &instance, case, (news, answer));
                let decided = decided.unwrap();
                prop_assert_eq!((decided.action.to_string(), decided.question), expected);
                let of = decided.instead.as_ref().map_or(decided.action, |it| it.of);
                prop_assert_eq!(of.to_string(), action);
                prop_assert_eq!(decided.instead.is_some(), of != decided.action);
                let first = first_launched(&times).map(ago);
                prop_assert_eq!(decided.first_launched_at, first);
            }
            ExpectedDecision::Gone | ExpectedDecision::Exempt(_) | ExpectedDecision::Compliant => {
                prop_assert_eq!(decided, None);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn nothing_that_is_not_known_to_be_new_is_ever_stopped_or_terminated(
        (document, policy) in policy(), instance in instance(), times in times(), facts in facts(),
        news in news(), changed in changed(), answer in answer(),
    ) {
        let instance = with(instance, &times, facts);
        let minutes = document["new_instances"]["disrupt_within_minutes"].as_i64().unwrap_or(15);
        let known = times.interfaces.iter().map(|(_, seconds)| *seconds);
        let known: Vec<i64> = known.chain(times.volumes.clone()).chain(times.started).collect();
        let is_old = known.iter().any(|seconds| *seconds > 60 * minutes);
        let is_unknown = times.interfaces.iter().all(|(index, _)| *index != 0);
        let is_ahead = known.iter().any(|seconds| *seconds < -300);
        if let Some(decided) = decided(&policy, &instance, (news, &changed), answer) {
            let disrupts = matches!(decided.action, Action::Stop | Action::Terminate);
            prop_assert_eq!(decided.is_disrupted(), disrupts);
            prop_assert!(!disrupts || !(is_old || is_unknown || is_ahead), "{:?}", decided);
            prop_assert!(!disrupts || !matches!(news, News::Person(_)), "{:?}", decided);
        }
    }

    #[test]
    fn no_change_makes_tokens_optional_or_enables_an_endpoint(
        (_, policy) in policy(), instance in instance(), times in times(), facts in facts(),
        news in news(), changed in changed(), answer in answer(),
    ) {
        let instance = with(instance, &times, facts);
        if let Some(decided) = decided(&policy, &instance, (news, &changed), answer) {
            let set = decided.change.set();
            prop_assert_ne!(set.http_tokens, Some(HttpTokens::Optional));
            prop_assert_ne!(set.http_endpoint, Some(Toggle::Enabled));
            // Nor does it carry an option that is as required.
            let violated: Vec<_> = decided.violations.iter().map(|it| it.option()).collect();
            prop_assert!(set.settings().all(|setting| violated.contains(&setting.option())));
            prop_assert!(set.settings().count() > 0);
        }
    }
}
