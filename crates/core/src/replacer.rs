//! What replaces instances.

use std::fmt;

use crate::instance::Instance;
use crate::plain::Plain;

/// What replaces an instance when it terminates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacer {
    /// An Auto Scaling group, by name.
    AutoScalingGroup(String),
    /// An EC2 Fleet, by id.
    Ec2Fleet(String),
    /// A Spot Fleet request, by id.
    SpotFleet(String),
    /// An EKS managed node group, by name.
    EksNodeGroup(String),
    /// A Karpenter node pool, by name.
    KarpenterNodePool(String),
    /// An AWS service that manages the instance.
    Service(String),
}

impl Replacer {
    /// By tags that only the replacing service sets, the most specific first.
    pub fn find(instance: &Instance) -> Option<Self> {
        let tag = |key: &str| instance.tags.get(key).cloned();
        if let Some(name) = tag("eks:nodegroup-name") {
            return Some(Replacer::EksNodeGroup(name));
        }
        if let Some(name) = instance.auto_scaling_group() {
            return Some(Replacer::AutoScalingGroup(name.to_owned()));
        }
        if let Some(name) = tag("karpenter.sh/nodepool") {
            return Some(Replacer::KarpenterNodePool(name));
        }
        if let Some(id) = tag("aws:ec2:fleet-id") {
            return Some(Replacer::Ec2Fleet(id));
        }
        if let Some(id) = tag("aws:ec2spot:fleet-request-id") {
            return Some(Replacer::SpotFleet(id));
        }
        instance.managed_by.clone().map(Replacer::Service)
    }
}

impl fmt::Display for Replacer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Replacer::AutoScalingGroup(name) => write!(f, "Auto Scaling group `{}`", Plain(name)),
            Replacer::Ec2Fleet(id) => write!(f, "EC2 Fleet `{}`", Plain(id)),
            Replacer::SpotFleet(id) => write!(f, "Spot Fleet `{}`", Plain(id)),
            Replacer::EksNodeGroup(name) => write!(f, "EKS node group `{}`", Plain(name)),
            Replacer::KarpenterNodePool(name) => write!(f, "Karpenter node pool `{}`", Plain(name)),
            Replacer::Service(name) => write!(f, "`{}`", Plain(name)),
        }
    }
}
