//! The decision about one instance, with its reason. Nothing is fetched, logged or timed here.

use std::fmt;

use jiff::Timestamp;

use crate::change::Change;
use crate::instance::{Instance, LaunchTemplate, State, Toggle};
use crate::marks;
use crate::plain::Plain;
use crate::policy::{Action, Policy, Rule, Then};
use crate::replacer::Replacer;
use crate::standing::{Standing, standings};
use crate::usage::Usage;
use crate::violation::{Violation, violations};

/// How an instance came to our notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// It was launched or started.
    Launch,
    /// Somebody changed its metadata options: that is mended, and never punished.
    Drift,
    /// A sweep found it, and how it uses IMDSv1 decides what may be done to it.
    Existing(Usage),
    /// A person asks to mend it: it is neither stopped nor terminated.
    Asked,
}

/// What is to be done about an instance, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing, for it is as the policy requires.
    Compliant(Compliant),
    /// Nothing, for a rule exempts it.
    Exempt(Exempt),
    /// Nothing, for it ends or has ended.
    Gone(State),
    /// It is not as the policy requires.
    Wrong(Wrong),
}

/// Why an instance is compliant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compliant {
    /// Each required option is known and as required.
    AsRequired {
        /// The rule whose `require` was judged by, if any.
        rule: Option<String>,
    },
    /// The metadata service does not answer, so there is nothing to attack.
    EndpointDisabled,
}

/// Which rule exempts an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exempt {
    /// The rule's name.
    pub rule: String,
    /// The rule's `because`.
    pub because: Option<String>,
    /// The last day of the exemption.
    pub until: Option<jiff::civil::Date>,
}

/// What is wrong with an instance and what is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// At least one.
    pub violations: Vec<Violation>,
    /// The rule that decided; `None`: the policy's `on_violation`.
    pub rule: Option<String>,
    /// What is to be done.
    pub remedy: Remedy,
    /// The options to set, in full or where the remedy cannot be had.
    pub change: Change,
    /// Exemptions that would have matched, had they not expired.
    pub expired: Vec<String>,
    /// How it uses IMDSv1, where that was asked.
    pub usage: Option<Usage>,
}

impl Wrong {
    /// How often it was mended within the hour, where that is too often to go on.
    pub fn mends(&self) -> Option<u32> {
        match self.remedy {
            Remedy::Report(Some(Instead {
                because: Because::TooOften { mends },
                ..
            })) => Some(mends),
            Remedy::Report(_)
            | Remedy::Enforce(_)
            | Remedy::Stop
            | Remedy::AlreadyStopped
            | Remedy::Terminate => None,
        }
    }
}

/// What is to be done about a wrong instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Tell, and leave it.
    Report(Option<Instead>),
    /// Set the options.
    Enforce(Option<Instead>),
    /// Stop it.
    Stop,
    /// The policy would stop it, and it is stopped.
    AlreadyStopped,
    /// Terminate it.
    Terminate,
}

/// A milder remedy than the policy's, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// What the policy says.
    pub of: Action,
    /// Why something milder is done.
    pub because: Because,
}

/// Why something milder is done than the policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// It would be replaced by one that is just as wrong, again and again.
    Replaced {
        /// Who replaces it.
        by: Replacer,
        /// What is to be mended so that the next one is right.
        template: Option<LaunchTemplate>,
    },
    /// It was running before, and only its options changed.
    Drift,
    /// Its options were mended this often within the hour, and somebody changes them back.
    TooOften {
        /// How often.
        mends: u32,
    },
    /// It was there before, and how it uses IMDSv1 allows no more.
    Usage(Usage),
    /// A person asked for no more.
    Asked,
    /// It is younger than `grace_seconds`, and the next sweep decides.
    Young,
    /// The limit of terminations within an hour is reached.
    OverLimit {
        /// The limit.
        limit: u32,
    },
    /// How many were terminated within the hour could not be read.
    NotCounted(String),
    /// A rule that asks for less may match, but what it asks for is not known.
    PerhapsRule(String),
    /// EC2 refused.
    Refused(String),
}

/// Decides about one instance.
pub fn decide(
    policy: &Policy,
    instance: &Instance,
    now: Timestamp,
    occasion: &Occasion,
) -> Decision {
    if let Some(state) = instance.state.filter(|state| state.is_final()) {
        return Decision::Gone(state);
    }
    let Applicable {
        decided,
        doubts,
        expired,
    } = applicable(policy, instance, now);
    let rule = decided.map(|rule| rule.name.clone());
    let then = decided
        .and_then(|rule| rule.then)
        .unwrap_or(Then::Act(policy.on_violation));
    let action = match then {
        Then::Exempt => {
            let (because, until) = decided.map_or((None, None), |r| (r.because.clone(), r.until));
            return Decision::Exempt(Exempt {
                rule: rule.unwrap_or_default(),
                because,
                until,
            });
        }
        Then::Act(action) => action,
    };
    if instance.options.http_endpoint == Some(Toggle::Disabled) {
        return Decision::Compliant(Compliant::EndpointDisabled);
    }
    let require = match decided.and_then(|rule| rule.require.as_ref()) {
        Some(of_rule) => policy.require.overridden_by(of_rule),
        None => policy.require.clone(),
    };
    let violations = violations(&require, instance);
    if violations.is_empty() {
        let judged = decided.is_some_and(|rule| rule.require.is_some());
        return Decision::Compliant(Compliant::AsRequired {
            rule: rule.filter(|_| judged),
        });
    }
    Decision::Wrong(Wrong {
        remedy: remedy(policy, action, decided, instance, now, occasion, doubts),
        change: Change::mending(&violations),
        violations,
        rule,
        expired,
        usage: match occasion {
            Occasion::Existing(usage) => Some(usage.clone()),
            Occasion::Launch | Occasion::Drift | Occasion::Asked => None,
        },
    })
}

struct Applicable<'p> {
    decided: Option<&'p Rule>,
    /// Rules before the deciding one of which it is not known whether they match.
    doubts: Vec<&'p Rule>,
    expired: Vec<String>,
}

fn applicable<'p>(policy: &'p Policy, instance: &Instance, now: Timestamp) -> Applicable<'p> {
    let mut found = Applicable {
        decided: None,
        doubts: Vec::new(),
        expired: Vec::new(),
    };
    for (rule, standing) in standings(policy, instance, now) {
        match standing {
            Standing::No | Standing::PerhapsExpired => {}
            Standing::Expired => found.expired.push(rule.name.clone()),
            Standing::Unknown => found.doubts.push(rule),
            Standing::Decides => found.decided = Some(rule),
        }
    }
    found
}

/// The mildest of what may apply, but never less than a report: what is unknown is not compliant.
fn remedy(
    policy: &Policy,
    action: Action,
    decided: Option<&Rule>,
    instance: &Instance,
    now: Timestamp,
    occasion: &Occasion,
    doubts: Vec<&Rule>,
) -> Remedy {
    let perhaps = doubts.into_iter().filter_map(|rule| {
        let asked = match rule.then? {
            Then::Exempt => Action::Report,
            Then::Act(action) => action,
        };
        Some((asked, Because::PerhapsRule(rule.name.clone())))
    });
    let of_occasion = match occasion {
        Occasion::Launch => None,
        Occasion::Asked => Some((Action::Enforce, Because::Asked)),
        Occasion::Drift => match marks::mends(&instance.tags, now) {
            mends if mends >= policy.limits.mends_per_hour => {
                Some((Action::Report, Because::TooOften { mends }))
            }
            _ => Some((Action::Enforce, Because::Drift)),
        },
        Occasion::Existing(usage) => Some((
            policy.existing.at_most(usage),
            Because::Usage(usage.clone()),
        )),
    };
    let loops = action > Action::Enforce && !decided.is_some_and(|rule| rule.even_if_replaced);
    let replaced = Replacer::of(instance).filter(|_| loops).map(|by| {
        (
            Action::Enforce,
            Because::Replaced {
                by,
                template: instance.launch_template(),
            },
        )
    });
    let mut mildest = (action, None);
    for (milder, because) in replaced.into_iter().chain(of_occasion).chain(perhaps) {
        if milder < mildest.0 {
            mildest = (
                milder,
                Some(Instead {
                    of: action,
                    because,
                }),
            );
        }
    }
    let stopped = instance.state.is_some_and(State::is_stopped);
    match mildest {
        (Action::Report, instead) => Remedy::Report(instead),
        (Action::Enforce, instead) => Remedy::Enforce(instead),
        (Action::Stop, _) if stopped => Remedy::AlreadyStopped,
        (Action::Stop, _) => Remedy::Stop,
        (Action::Terminate, _) => Remedy::Terminate,
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Compliant(Compliant::AsRequired { rule: None }) => {
                f.write_str("metadata options are as required")
            }
            Decision::Compliant(Compliant::AsRequired { rule: Some(rule) }) => {
                write!(f, "metadata options are as rule `{rule}` requires")
            }
            Decision::Compliant(Compliant::EndpointDisabled) => {
                f.write_str("the metadata endpoint is disabled")
            }
            Decision::Exempt(Exempt {
                rule,
                because,
                until,
            }) => {
                write!(f, "exempt by rule `{rule}`")?;
                if let Some(because) = because {
                    write!(f, " because of {because}")?;
                }
                until.map_or(Ok(()), |until| write!(f, ", through {until}"))
            }
            Decision::Gone(state) => write!(f, "the instance is {state}"),
            Decision::Wrong(wrong) => wrong.fmt(f),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, violation) in self.violations.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            violation.fmt(f)?;
        }
        match &self.rule {
            Some(rule) => write!(f, "; by rule `{rule}`")?,
            None => f.write_str("; by `on_violation`")?,
        }
        match &self.remedy {
            Remedy::Report(Some(instead)) | Remedy::Enforce(Some(instead)) => {
                write!(f, "; {instead}")?;
            }
            Remedy::AlreadyStopped => f.write_str("; already stopped")?,
            Remedy::Report(None) | Remedy::Enforce(None) | Remedy::Stop | Remedy::Terminate => {}
        }
        for rule in &self.expired {
            write!(f, "; the exemption of rule `{rule}` has expired")?;
        }
        Ok(())
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {}, because ", past(self.of))?;
        match &self.because {
            Because::Replaced { by, template } => {
                write!(f, "{by} would replace it with one just as wrong: mend ")?;
                match template {
                    Some(template) => write!(f, "launch template {template}"),
                    None => f.write_str("what it launches from"),
                }
            }
            Because::Drift => f.write_str("only its options were changed"),
            Because::TooOften { mends } => {
                write!(
                    f,
                    "its options were mended {mends} times within the hour and are changed back each time"
                )
            }
            Because::Usage(usage) => usage.fmt(f),
            Because::Asked => f.write_str("only its options were asked for"),
            Because::Young => {
                f.write_str("it is younger than `grace_seconds`: the next sweep decides")
            }
            Because::OverLimit { limit } => {
                write!(
                    f,
                    "the limit of {limit} terminations within an hour is reached"
                )
            }
            Because::NotCounted(why) => {
                write!(
                    f,
                    "the terminations within the hour could not be counted: {}",
                    Plain(why)
                )
            }
            Because::PerhapsRule(rule) => {
                write!(
                    f,
                    "rule `{rule}` may apply and what it asks for is not known"
                )
            }
            Because::Refused(why) => write!(f, "EC2 refused: {}", Plain(why)),
        }
    }
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Report => "reported",
        Action::Enforce => "enforced",
        Action::Stop => "stopped",
        Action::Terminate => "terminated",
    }
}
