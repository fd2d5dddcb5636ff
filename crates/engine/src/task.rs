//! A step of a plan on its way to an outcome.

use imds_core::decide::{Because, Decision, NonCompliant};
use imds_core::instance::Instance;
use imds_core::options::MetadataOptions;
use imds_core::policy::Action;
use imds_core::report::{InstanceReport, Outcome, RefusedOption};
use jiff::Timestamp;

use crate::attempt::FailedCall;

/// A step that takes calls.
pub(crate) struct Task {
    /// Its place in the plan.
    pub(crate) place: usize,
    pub(crate) instance: Instance,
    pub(crate) non_compliant: NonCompliant,
}

/// What became of setting an instance's options.
pub(crate) enum Setting {
    /// At least one was set; EC2 answered all options.
    Set {
        after: MetadataOptions,
        refused: Vec<RefusedOption>,
        at: Timestamp,
    },
    /// EC2 will never require tokens, or set any of the options.
    Refused {
        because: Because,
        refused: Vec<RefusedOption>,
        /// All options, where one was set.
        after: Option<MetadataOptions>,
    },
    /// The instance has terminated.
    Gone(Decision),
    /// It is not known, or may succeed later.
    Failed(FailedCall),
}

/// A report, with its place in the plan.
pub(crate) type Placed = (usize, InstanceReport);

impl Task {
    /// Everything that was decided is done.
    pub(crate) fn done(self, at: Timestamp) -> Placed {
        let outcome = Decision::NonCompliant(self.non_compliant.clone()).outcome();
        let (place, report) = self.with_outcome(outcome);
        let changed_at = Some(at);
        (
            place,
            InstanceReport {
                changed_at,
                ..report
            },
        )
    }

    /// The report of an instance whose options were to be set.
    pub(crate) fn set(self, setting: Setting) -> Placed {
        match setting {
            Setting::Set { after, refused, at } => self.done(at).with_options(after, refused),
            Setting::Refused {
                because,
                refused,
                after,
            } => {
                let reported = self.milder(Action::Report, because);
                let (place, report) = reported.with_outcome(Outcome::Reported);
                (
                    place,
                    InstanceReport {
                        after,
                        refused,
                        ..report
                    },
                )
            }
            Setting::Gone(decision) => {
                let gone = Outcome::Gone;
                let report = InstanceReport::decided(self.instance, &decision, gone, None);
                (self.place, report)
            }
            Setting::Failed(error) => self.failed(&error),
        }
    }

    /// The report of an instance that was stopped, and whose options were to be set before.
    pub(crate) fn stopped(self, setting: Setting, at: Timestamp) -> Placed {
        match setting {
            Setting::Set { after, refused, .. } => self.done(at).with_options(after, refused),
            Setting::Refused {
                because,
                refused,
                after,
            } => {
                let (place, mut report) = self.done(at);
                report
                    .reason
                    .push_str(&format!("; tokens are not required, because {because}"));
                (
                    place,
                    InstanceReport {
                        after,
                        refused,
                        ..report
                    },
                )
            }
            Setting::Gone(_) => self.set(setting),
            Setting::Failed(error) => {
                let (place, mut report) = self.done(at);
                report
                    .reason
                    .push_str(&format!("; its options could not be set: {error}"));
                let outcome = Outcome::Failed;
                (place, InstanceReport { outcome, ..report })
            }
        }
    }

    /// Nothing is done.
    pub(crate) fn reported(self) -> Placed {
        let outcome = Decision::NonCompliant(self.non_compliant.clone()).outcome();
        self.with_outcome(outcome)
    }

    pub(crate) fn failed(self, error: &FailedCall) -> Placed {
        let (place, mut report) = self.with_outcome(Outcome::Failed);
        report.reason.push_str(&format!("; failed: {error}"));
        (place, report)
    }

    /// What is done instead, where the instance cannot be disrupted.
    pub(crate) fn milder(self, action: Action, because: Because) -> Self {
        Task {
            non_compliant: self.non_compliant.milder(action, because),
            ..self
        }
    }

    fn with_outcome(self, outcome: Outcome) -> Placed {
        let decision = Decision::NonCompliant(self.non_compliant);
        let report = InstanceReport::decided(self.instance, &decision, outcome, None);
        (self.place, report)
    }
}

trait WithOptions {
    fn with_options(self, after: MetadataOptions, refused: Vec<RefusedOption>) -> Self;
}

impl WithOptions for Placed {
    fn with_options(self, after: MetadataOptions, refused: Vec<RefusedOption>) -> Self {
        let (place, mut report) = self;
        for RefusedOption { option, error } in &refused {
            report
                .reason
                .push_str(&format!("; EC2 refused {}: {error}", option.name()));
        }
        let after = Some(after);
        (
            place,
            InstanceReport {
                after,
                refused,
                ..report
            },
        )
    }
}
