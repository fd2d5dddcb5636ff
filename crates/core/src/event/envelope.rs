//! EventBridge's envelope without its detail.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) type Envelope = EventBridgeEvent<ReadApart>;

/// A detail of up to 1 MB, which is not copied: it is read from the event itself.
#[derive(Debug, Default)]
pub(super) struct ReadApart;

impl<'de> Deserialize<'de> for ReadApart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| ReadApart)
    }
}

impl Serialize for ReadApart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}
