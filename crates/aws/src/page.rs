//! What `DescribeInstances` tells of instances, readable or not.

use std::fmt;

use imds_core::instance::{Instance, InstanceId};
use imds_core::plain::Plain;
use imds_core::report::{InstanceReport, Outcome, Unseen};

/// Instances as EC2 describes them.
#[derive(Debug, Default)]
pub struct Page {
    /// Those that could be read.
    pub instances: Vec<Instance>,
    /// Those that are there, and of which no more than that is known.
    pub unreadable: Vec<Unreadable>,
}

/// An instance whose description is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// As EC2 gave it; it may be no id.
    pub id: String,
    /// Why not.
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unreadable { id, why } = self;
        let (id, why) = (Plain(id), Plain(why));
        write!(f, "EC2's description of `{id}` could not be read: {why}")
    }
}

impl Unreadable {
    /// `None` where it is no id.
    pub fn instance_id(&self) -> Option<InstanceId> {
        InstanceId::try_from(self.id.as_str()).ok()
    }

    /// It failed by its name, or where its id is malformed its region was not seen whole.
    ///
    /// # Errors
    /// The latter.
    pub fn into_report(self, region: &str) -> Result<InstanceReport, Unseen> {
        let reason = self.to_string();
        match self.instance_id() {
            Some(id) => {
                let instance = Instance::unknown(id, region);
                Ok(InstanceReport::unseen(instance, Outcome::Failed, reason))
            }
            None => Err(Unseen::expected(region, reason)),
        }
    }
}
