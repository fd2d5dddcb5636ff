//! What holds for every text that is read as a policy.

use imds_core::decide::{Decision, Discovery};
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HopLimit, HttpTokens, MetadataOptions, Toggle};
use imds_core::plan::Plan;
use imds_core::policy::{Policy, PolicyFaults};
use imds_core::usage::{NotKnown, Usage};
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

/// Every policy that is accepted decides about every instance, however it was discovered.
fn decides(policy: &Policy) {
    let now = Timestamp::UNIX_EPOCH;
    let since = policy.existing.window_begin(now);
    let discoveries = [
        Discovery::Launch,
        Discovery::Drift,
        Discovery::Request,
        Discovery::Existing(Usage::Unused { since }),
        Discovery::Existing(Usage::Unknown {
            because: NotKnown::NoData,
        }),
    ];
    for discovery in discoveries {
        let instances = instances(now);
        let plan = Plan::new(policy, instances.iter().cloned(), now, &discovery);
        assert_eq!(plan.to_string().lines().count(), instances.len());
        for (instance, step) in instances.iter().zip(&plan.steps) {
            assert_eq!(&step.instance, instance);
            widens_nothing(&step.decision, instance);
        }
        let mut ready = plan.clone();
        let waiting = ready
            .split_off_waiting(policy, now)
            .map_or(0, |waiting| waiting.instances.len());
        assert_eq!(ready.steps.len() + waiting, instances.len());
    }
}

fn widens_nothing(decision: &Decision, instance: &Instance) {
    let Decision::NonCompliant(non_compliant) = decision else {
        return;
    };
    assert!(!non_compliant.violations.is_empty());
    let sent = non_compliant.change.to_send(&instance.options);
    assert_ne!(sent, MetadataOptions::default(), "the change is empty");
    assert_ne!(sent.http_tokens, Some(HttpTokens::Optional));
    if instance.options.http_endpoint != Some(Toggle::Enabled) {
        assert_ne!(sent.http_endpoint, Some(Toggle::Enabled));
    }
}

fn instances(now: Timestamp) -> Vec<Instance> {
    let id = |text| InstanceId::try_from(text).unwrap_or_else(|error| panic!("{error}"));
    let mut open = Instance::unknown(id("i-0123456789abcdef0"), "eu-central-1");
    open.account = Some("111122223333".to_owned());
    open.image = Some("ami-0abc".to_owned());
    open.instance_type = Some("m7g.large".to_owned());
    open.principals = vec!["arn:aws:iam::111122223333:role/ops".to_owned()];
    open.launched_at = Some(now);
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
    replaced.launched_at = Some(Timestamp::MIN);
    let mut stopped = open.clone();
    stopped.state = Some(State::Stopped);
    stopped.launched_at = Some(Timestamp::MAX);
    let mut terminated = open.clone();
    terminated.state = Some(State::Terminated);
    let unknown = Instance::unknown(id("i-1"), "us-gov-west-1");
    vec![open, compliant, off, replaced, stopped, terminated, unknown]
}
