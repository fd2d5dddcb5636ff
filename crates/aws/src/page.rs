//! What `DescribeInstances` answers: instances, readable or not.

use std::fmt;

use imds_core::instance::{Instance, InstanceId};
use imds_core::plain::Plain;

/// Instances as EC2 describes them.
#[derive(Debug, Default)]
pub struct DescribedPage {
    /// The instances that could be read.
    pub instances: Vec<Instance>,
    /// The instances whose descriptions could not be read.
    pub unreadable: Vec<UnreadableInstance>,
}

/// An instance whose description could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableInstance {
    /// The id from EC2's response; it may be malformed.
    pub id: String,
    /// Why it could not be read.
    pub why: String,
}

impl fmt::Display for UnreadableInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnreadableInstance { id, why } = self;
        let (id, why) = (Plain(id), Plain(why));
        write!(f, "EC2's description of `{id}` could not be read: {why}")
    }
}

impl UnreadableInstance {
    /// The id; `None` if it is malformed.
    pub fn instance_id(&self) -> Option<InstanceId> {
        InstanceId::try_from(self.id.as_str()).ok()
    }
}
