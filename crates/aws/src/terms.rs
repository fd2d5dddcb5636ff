//! On what terms a plan is done.

use std::{fmt, io};

use imds_core::instance::{Instance, MetadataOptions};
use imds_core::policy::Limits;
use jiff::Timestamp;
use tokio::time::Instant;

/// When to give up; well before the function itself is ended, so that the report gets out.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// No more waiting for instances that EC2 does not know yet.
    pub look: Instant,
    /// No more calls.
    pub act: Instant,
}

impl Deadline {
    /// Six tenths of the time for looking, and 85 % for all.
    pub fn of(start: Instant, end: Instant) -> Self {
        let whole = end.saturating_duration_since(start);
        Deadline {
            look: start + whole.mul_f64(0.6),
            act: start + whole.mul_f64(0.85),
        }
    }
}

/// What an instance is to be remembered by once it is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remember {
    /// Nothing.
    Nothing,
    /// How often it was mended, since somebody changes it.
    Mends,
    /// When it was mended, to see whether its software fails from then on.
    Watch,
}

/// Sees every change of metadata options before it is asked for and after it is answered.
pub trait Witness: fmt::Debug + Sync {
    /// An instance as it is, and the options to be sent.
    ///
    /// # Errors
    /// With any, the call is not made.
    fn before(&self, instance: &Instance, send: &MetadataOptions) -> io::Result<()>;

    /// All options as EC2 answered them, or why there is no answer.
    fn after(&self, instance: &Instance, answer: Result<&MetadataOptions, &str>);
}

/// What is the same for all that one event or sweep does.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How much may be done.
    pub limits: &'a Limits,
    /// When to give up.
    pub deadline: Deadline,
    /// What mended instances are remembered by.
    pub remember: Remember,
    /// Who sees every change, if anyone.
    pub witness: Option<&'a dyn Witness>,
    /// The clock.
    pub now: fn() -> Timestamp,
}
