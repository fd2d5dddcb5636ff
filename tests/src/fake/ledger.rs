//! What no caller should have done: calls that ask for less protection, and disruptions. A test reads it
//! at its end.

use jiff::Timestamp;

use super::instance::FakeMachine;
use super::{FakeAws, RecordedCall};
use crate::clock::now;

/// An instance that a call has stopped or terminated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disruption {
    /// The instance.
    pub id: String,
    /// Its region.
    pub region: String,
    /// `StopInstances` or `TerminateInstances`.
    pub action: &'static str,
    /// When it began to stop or to shut down.
    pub at: Timestamp,
    /// When it was launched.
    pub first_launched: Timestamp,
    /// The earliest time that DescribeInstances tells of an interface's or a volume's attachment; the
    /// first launch if it tells none.
    pub oldest_attachment: Timestamp,
}

impl Disruption {
    pub(super) fn of(machine: &FakeMachine, action: &'static str) -> Self {
        let instance = &machine.instance;
        Disruption {
            id: instance.id.clone(),
            region: instance.region.clone(),
            action,
            at: now(),
            first_launched: instance.first_launched,
            oldest_attachment: machine.attachments.oldest(instance),
        }
    }
}

/// The ledger.
impl FakeAws {
    /// Every ModifyInstanceMetadataOptions, rejected ones and dry runs included, that asked for an
    /// `HttpEndpoint` other than `disabled` or for `HttpTokens` other than `required`, in the order of
    /// arrival. [`FakeAws::forget_calls`] keeps them.
    #[must_use]
    pub fn widening_calls(&self) -> Vec<RecordedCall> {
        self.shared.lock().record.widening()
    }

    /// Every instance that a call has stopped or terminated, once for each time, in this order.
    #[must_use]
    pub fn disruptions(&self) -> Vec<Disruption> {
        self.shared.lock().disruptions.clone()
    }
}
