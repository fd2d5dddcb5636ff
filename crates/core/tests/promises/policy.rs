//! What holds for every text that is read as a policy.

use imds_core::age::{Age, Attachments};
use imds_core::decide::{Decision, Discovery, Evidence, Question, UsageGate};
use imds_core::instance::{Instance, InstanceId, SpotRequest, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use imds_core::plan::{Plan, Step};
use imds_core::policy::{Action, Policy, PolicyFaults};
use imds_core::usage::{CallData, RejectedCalls, Usage};
use jiff::Timestamp;

/// Panics where a promise is broken.
pub(crate) fn hold(text: &str) {
    let read = Policy::parse(text);
    assert_eq!(
        read,
        Policy::parse(text),
        "the same text is always read the same"
    );
    match read {
        Ok(policy) => decides(&policy),
        Err(faults) => are_reported(&faults, text),
    }
}

fn are_reported(faults: &PolicyFaults, text: &str) {
    assert!((1..=text.len() + 2).contains(&faults.0.len()));
    for fault in &faults.0 {
        assert!(fault.path.starts_with('$'), "{fault:?}");
        assert!(fault.value.chars().count() <= 80, "{fault:?}");
        let message = fault.to_string();
        assert!(message.chars().count() <= 700, "{message:?}");
        let misleads =
            |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}');
        assert!(!message.contains(misleads), "{message:?}");
    }
    assert_eq!(faults.to_string().lines().count(), faults.0.len());
}

/// Every policy that is accepted decides about every instance, however it was discovered and whatever is
/// known of its use.
fn decides(policy: &Policy) {
    let now = Timestamp::UNIX_EPOCH;
    let discoveries = [
        Discovery::Launch { at: Some(now) },
        Discovery::Launch { at: None },
        Discovery::Start,
        Discovery::Drift {
            at: Some(now),
            set: MetadataOptions {
                http_tokens: Some(HttpTokens::Optional),
                ..MetadataOptions::default()
            },
        },
        Discovery::Drift {
            at: None,
            set: MetadataOptions::default(),
        },
        Discovery::Sweep,
        Discovery::Request(UsageGate::Ignored),
        Discovery::Request(UsageGate::Policy),
        Discovery::Request(UsageGate::UnusedOnly),
    ];
    for discovery in discoveries {
        let instances = instances(now);
        let plan = Plan::new(policy, instances.iter().cloned(), now, discovery);
        assert_eq!(plan.to_string().lines().count(), instances.len());
        for (instance, step) in instances.iter().zip(&plan.steps) {
            assert_eq!(&step.instance, instance);
            keeps_within_bounds(&step.decision, policy, instance, now);
            for evidence in evidence(policy, instance, now) {
                let step = Step::new(policy, instance.clone(), now, discovery, &evidence);
                keeps_within_bounds(&step.decision, policy, instance, now);
            }
        }
        let mut ready = plan.clone();
        let waiting = ready
            .split_off_waiting(policy, now)
            .map_or(0, |waiting| waiting.instances.len());
        assert_eq!(ready.steps.len() + waiting, instances.len());
    }
}

/// What CloudWatch may answer.
fn evidence(policy: &Policy, instance: &Instance, now: Timestamp) -> Vec<Evidence> {
    let window = policy.existing.usage_window(now);
    let (calls, last_at) = (7, now);
    let usages = [
        window.evaluate(instance, &CallData::default()),
        window.evaluate_answer(instance, &Err("AccessDenied".to_owned())),
        Usage::InUse { calls, last_at },
        Usage::Unused {
            since: window.since,
            not_started_within_window: true,
        },
    ];
    let rejected = [None, Some(RejectedCalls { calls, last_at })];
    let usages = usages.into_iter().map(Evidence::Usage);
    usages
        .chain(rejected.map(Evidence::RejectedCalls))
        .collect()
}

fn keeps_within_bounds(decision: &Decision, policy: &Policy, instance: &Instance, now: Timestamp) {
    let Decision::NonCompliant(non_compliant) = decision else {
        return;
    };
    assert!(!non_compliant.violations.is_empty());
    let set = non_compliant.change.set();
    assert_ne!(*set, MetadataOptions::default(), "the change is empty");
    assert_ne!(set.http_tokens, Some(HttpTokens::Optional));
    assert_ne!(set.http_endpoint, Some(Toggle::Enabled));
    assert!(policy.could_have_set(set), "{set}");
    match non_compliant.question {
        Some(Question::Usage | Question::RejectedCalls) => {
            assert_eq!(non_compliant.action, Action::Report);
        }
        Some(Question::SpotRequest) => assert!(!non_compliant.is_disrupted()),
        None => {}
    }
    if non_compliant.is_disrupted() {
        let first = instance.first_launched_at(now);
        assert_eq!(Age::new(&policy.new_instances, first, now), Age::New);
    }
}

fn instances(now: Timestamp) -> Vec<Instance> {
    let id = |text| InstanceId::try_from(text).unwrap_or_else(|error| panic!("{error}"));
    let mut open = Instance::unknown(id("i-0123456789abcdef0"), "eu-central-1");
    open.account = Some("111122223333".to_owned());
    open.image = Some("ami-0abc".to_owned());
    open.instance_type = Some("m7g.large".to_owned());
    open.principals = vec!["arn:aws:iam::111122223333:role/ops".to_owned()];
    open.started_at = Some(now);
    open.attachments = Attachments::at_launch(now);
    open.state = Some(State::Running);
    open.options = MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        hop_limit: Some(HopLimit::MAX),
        http_protocol_ipv6: Some(Toggle::Enabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    };
    let mut compliant = open.clone();
    compliant.options.http_tokens = Some(HttpTokens::Required);
    compliant.options.hop_limit = Some(HopLimit::MIN);
    let mut off = open.clone();
    off.options.http_endpoint = Some(Toggle::Disabled);
    let mut replaced = open.clone();
    for key in [
        "aws:autoscaling:groupName",
        "aws:ec2launchtemplate:id",
        "eks:cluster-name",
        "app",
    ] {
        replaced.tags.insert(key.to_owned(), "lt-0abc".to_owned());
    }
    replaced.started_at = Some(Timestamp::MIN);
    let mut stopped = open.clone();
    stopped.state = Some(State::Stopped);
    stopped.started_at = Some(Timestamp::MAX);
    let mut restarted = open.clone();
    restarted.attachments = Attachments::at_launch(Timestamp::MIN);
    let mut spot = open.clone();
    spot.spot = Some(SpotRequest {
        id: Some("sir-0abc".to_owned()),
        is_persistent: None,
    });
    let mut terminated = open.clone();
    terminated.state = Some(State::Terminated);
    let unknown = Instance::unknown(id("i-00000001"), "us-gov-west-1");
    vec![
        open, compliant, off, replaced, stopped, restarted, spot, terminated, unknown,
    ]
}
