//! What an event asks for, recognised by its shape.
//!
//! Events arrive in EventBridge's envelope, in an SNS message around it, or as a bare CloudTrail
//! record. `aws_lambda_events` reads the envelope; its content is read leniently.

mod delivered;
mod detail;
mod envelope;
mod field;
mod lenient;
mod malformed;
mod parse;
mod record;
mod recorded_options;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::instance::{Instance, InstanceId, State};
use crate::options::MetadataOptions;
use crate::plain::Plain;
pub use delivered::{DeliveredEvent, delivered};
pub use malformed::Malformed;
pub use parse::parse;

/// What an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Instances were launched.
    Launch(Launch),
    /// Somebody changed an instance's metadata options.
    MetadataChange(MetadataChange),
    /// Instances start or run.
    Start(Start),
    /// The schedule, or a person, asks to check every instance.
    Sweep(Sweep),
    /// Nothing that concerns metadata options.
    Ignored(Ignored),
}

impl Event {
    /// The accounts that the event names.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        let of_sweep = match self {
            Event::Sweep(sweep) => sweep.accounts.as_deref().unwrap_or_default(),
            Event::Launch(_) | Event::MetadataChange(_) | Event::Start(_) | Event::Ignored(_) => {
                &[]
            }
        };
        let of_sweep = of_sweep.iter().map(String::as_str);
        self.account().into_iter().chain(of_sweep)
    }

    /// The account of the event's envelope.
    pub fn account(&self) -> Option<&str> {
        match self {
            Event::Launch(launch) => launch.origin.account.as_deref(),
            Event::MetadataChange(change) => change.origin.account.as_deref(),
            Event::Start(start) => start.origin.account.as_deref(),
            Event::Sweep(sweep) => sweep.account.as_deref(),
            Event::Ignored(ignored) => ignored.account.as_deref(),
        }
    }
}

/// Where an event comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The account as the event names it: 12 digits, or a placeholder in samples.
    pub account: Option<String>,
    /// The region: the record's `awsRegion` where there is a record, else the envelope's.
    pub region: String,
    /// When it happened; `None` where the event has only a placeholder.
    pub time: Option<Timestamp>,
    /// The ARNs and the service that made the call; empty where the event does not
    /// name them.
    pub principals: Vec<String>,
}

/// A `RunInstances` call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Who launched, where and when.
    pub origin: Origin,
    /// The instances of the response, as far as CloudTrail recorded it.
    pub instances: Vec<Instance>,
    /// The token that finds the instances that were not recorded.
    pub client_token: Option<String>,
    /// How many instances the call asked for, at least and at most.
    pub asked: Option<(usize, usize)>,
}

impl Launch {
    /// How long before the event an instance of this launch may have been launched: clocks differ.
    const BEFORE: SignedDuration = SignedDuration::from_secs(5);
    /// How long after the event an instance of this launch may be launched.
    const AFTER: SignedDuration = SignedDuration::from_secs(120);

    /// CloudTrail leaves `responseElements` out above 100 KB, so that instances were launched
    /// whose ids are not in the record.
    pub fn is_cut(&self) -> bool {
        let least = self.asked.map_or(1, |(least, _)| least.max(1));
        self.instances.len() < least
    }

    /// Whether an instance that EC2 describes may be of this launch: it has its client token or, without
    /// a token, it was first launched within seconds of it.
    pub fn may_include(&self, instance: &Instance, now: Timestamp) -> bool {
        match &self.client_token {
            Some(_) => self.includes(instance),
            None => match (instance.first_launched_at(now), self.origin.time) {
                (Some(first), Some(time)) => {
                    let after = first.duration_since(time);
                    (-Self::BEFORE..=Self::AFTER).contains(&after)
                }
                _ => false,
            },
        }
    }

    /// The value of EC2's filter `client-token` that matches nothing but the token: values are patterns.
    pub fn client_token_filter(&self) -> Option<String> {
        let mut value = String::new();
        for sign in self.client_token.as_ref()?.chars() {
            if matches!(sign, '*' | '?' | '\\') {
                value.push('\\');
            }
            value.push(sign);
        }
        Some(value)
    }

    /// Whether the client token proves that an instance is of this launch.
    pub fn includes(&self, instance: &Instance) -> bool {
        self.client_token.is_some() && self.client_token == instance.client_token
    }
}

/// A `ModifyInstanceMetadataOptions` call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataChange {
    /// Who changed it, where and when.
    pub origin: Origin,
    /// The changed instance.
    pub instance_id: InstanceId,
    /// The options that the call set; `None` for those that it left as they were.
    pub set: MetadataOptions,
    /// The ARN of the role in whose session the call was made (`sessionIssuer`). Unlike the session's
    /// name, the caller does not choose it.
    pub role: Option<String>,
}

/// A `StartInstances` call that succeeded, or a notification that an instance is `pending` or `running`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Where and when.
    pub origin: Origin,
    /// The instances, each once.
    pub instance_ids: Vec<InstanceId>,
}

/// A request to check every instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// The account as the envelope names it.
    pub account: Option<String>,
    /// The accounts to check; `None`: the function's own.
    pub accounts: Option<Vec<String>>,
    /// The regions to check; `None`: all that are enabled.
    pub regions: Option<Vec<String>>,
}

/// An event that asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The account, where the event names it.
    pub account: Option<String>,
    /// The region, where the event names it.
    pub region: Option<String>,
    /// Why it is ignored.
    pub reason: Reason,
}

/// Why an event asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The call did not succeed, or was a dry run.
    FailedCall {
        /// The API call.
        call: String,
        /// For example `Client.DryRunOperation`.
        error_code: String,
    },
    /// An API call that can determine the metadata options of later launches.
    LaterLaunches(String),
    /// An API call that changes no metadata options.
    OtherCall(String),
    /// An event of another kind.
    OtherEvent(String),
    /// The instance is neither starting nor running.
    OtherState(InstanceId, State),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::FailedCall { call, error_code } => {
                write!(f, "{} changed nothing: {}", Plain(call), Plain(error_code))
            }
            Reason::LaterLaunches(call) => write!(
                f,
                "{} changes no instance: it can set the metadata options of launches, which are events of \
                 their own",
                Plain(call)
            ),
            Reason::OtherCall(call) => {
                write!(f, "{} does not concern metadata options", Plain(call))
            }
            Reason::OtherEvent(kind) => {
                write!(
                    f,
                    "events of type `{}` do not concern metadata options",
                    Plain(kind)
                )
            }
            Reason::OtherState(id, state) => {
                write!(f, "{id} is `{state}`: only `pending` and `running` matter")
            }
        }
    }
}
