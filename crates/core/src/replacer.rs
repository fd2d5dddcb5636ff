//! What replaces instances.

use std::fmt;

use crate::instance::Instance;
use crate::plain::Plain;

/// What launches another instance when this one terminates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacer {
    /// An Auto Scaling group, by name.
    AutoScalingGroup(String),
    /// An EC2 Fleet, by id.
    Ec2Fleet(String),
    /// A Spot Fleet request, by id.
    SpotFleet(String),
    /// A Spot request that is persistent, or may be.
    SpotRequest(Option<String>),
    /// An EKS managed node group, by name.
    EksNodeGroup(String),
    /// A Karpenter node pool or provisioner, by name.
    KarpenterNodePool(String),
    /// A cluster of Cluster API, by name.
    ClusterApi(String),
    /// A Kubernetes cluster that owns the instance, by name, such as one of OpenShift's machine sets.
    KubernetesCluster(String),
    /// An Elastigroup of Spot, by id.
    Elastigroup(String),
    /// An EMR cluster, by id.
    EmrCluster(String),
    /// An Elastic Beanstalk environment, by name.
    BeanstalkEnvironment(String),
    /// An AWS service that manages or launched the instance, by name.
    Service(String),
    /// An AWS service that set this tag.
    Tagged(String),
}

type ByTag = (&'static str, fn(String) -> Replacer);

/// Tags with the name of what replaces the instance as their value, the most specific first.
const TAGS: &[ByTag] = &[
    ("eks:nodegroup-name", Replacer::EksNodeGroup),
    (
        "elasticbeanstalk:environment-name",
        Replacer::BeanstalkEnvironment,
    ),
    ("aws:elasticmapreduce:job-flow-id", Replacer::EmrCluster),
    ("aws:autoscaling:groupName", Replacer::AutoScalingGroup),
    ("karpenter.sh/nodepool", Replacer::KarpenterNodePool),
    ("karpenter.sh/provisioner-name", Replacer::KarpenterNodePool),
    ("spotinst:aws:ec2:group:id", Replacer::Elastigroup),
    ("aws:ec2:fleet-id", Replacer::Ec2Fleet),
    ("aws:ec2spot:fleet-request-id", Replacer::SpotFleet),
];

/// Tag keys that end with the name of what replaces the instance.
const KEYS: &[ByTag] = &[
    (
        "sigs.k8s.io/cluster-api-provider-aws/cluster/",
        Replacer::ClusterApi,
    ),
    ("kubernetes.io/cluster/", Replacer::KubernetesCluster),
];

/// Only AWS sets tags whose keys begin with `aws:`. All but these say that a service launched the instance
/// for a purpose of its own; those of AWS Backup say that it was [`Restored`](crate::restored::Restored).
const TAGS_OF_ANY_LAUNCH: [&str; 4] = [
    "aws:backup:",
    "aws:cloudformation:",
    "aws:ec2launchtemplate:",
    "aws:servicecatalog:",
];

/// Services in whose name people launch single instances.
const LAUNCH_FOR_PEOPLE: [&str; 4] = [
    "cloudformation.amazonaws.com",
    "servicecatalog.amazonaws.com",
    "signin.amazonaws.com",
    "ssm.amazonaws.com",
];

/// Services that launch what is [`Restored`](crate::restored::Restored), once.
const RESTORE: [&str; 4] = [
    "backup.amazonaws.com",
    "drs.amazonaws.com",
    "imagebuilder.amazonaws.com",
    "mgn.amazonaws.com",
];

impl Replacer {
    /// By tags, and by the service that launched or manages the instance. Anybody may write most of the
    /// tags, so they only ever make milder what is done.
    pub fn find(instance: &Instance) -> Option<Self> {
        let tags = &instance.tags;
        let named = TAGS
            .iter()
            .find_map(|(key, replacer)| Some(replacer(tags.get(*key)?.clone())));
        let ends_with_name = || {
            KEYS.iter().find_map(|(prefix, replacer)| {
                let owned = tags.iter().filter(|(_, value)| *value == "owned");
                let name = owned
                    .filter_map(|(key, _)| key.strip_prefix(prefix))
                    .next()?;
                Some(replacer(name.to_owned()))
            })
        };
        let tagged = || {
            let mut keys = tags.keys().filter(|key| key.starts_with("aws:"));
            let key = keys.find(|key| !TAGS_OF_ANY_LAUNCH.iter().any(|it| key.starts_with(it)));
            key.cloned().map(Replacer::Tagged)
        };
        named
            .or_else(ends_with_name)
            .or_else(|| instance.managed_by.clone().map(Replacer::Service))
            .or_else(tagged)
            .or_else(|| launching_service(instance))
    }

    /// A Spot request that is not known to be a one-time request.
    pub fn spot_request(instance: &Instance) -> Option<Self> {
        let spot = instance.spot.as_ref()?;
        (spot.is_persistent != Some(false)).then(|| Replacer::SpotRequest(spot.id.clone()))
    }
}

fn launching_service(instance: &Instance) -> Option<Replacer> {
    let is_service = |name: &&String| {
        name.ends_with(".amazonaws.com")
            && !name.starts_with("arn:")
            && !LAUNCH_FOR_PEOPLE.contains(&name.as_str())
            && !RESTORE.contains(&name.as_str())
    };
    let service = instance.principals.iter().find(is_service);
    service.cloned().map(Replacer::Service)
}

impl fmt::Display for Replacer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, name) = match self {
            Replacer::AutoScalingGroup(name) => ("Auto Scaling group ", name),
            Replacer::Ec2Fleet(id) => ("EC2 Fleet ", id),
            Replacer::SpotFleet(id) => ("Spot Fleet ", id),
            Replacer::SpotRequest(Some(id)) => ("Spot request ", id),
            Replacer::SpotRequest(None) => return f.write_str("its Spot request"),
            Replacer::EksNodeGroup(name) => ("EKS node group ", name),
            Replacer::KarpenterNodePool(name) => ("Karpenter node pool ", name),
            Replacer::ClusterApi(name) => ("Cluster API's cluster ", name),
            Replacer::KubernetesCluster(name) => ("Kubernetes cluster ", name),
            Replacer::Elastigroup(id) => ("Elastigroup ", id),
            Replacer::EmrCluster(id) => ("EMR cluster ", id),
            Replacer::BeanstalkEnvironment(name) => ("Elastic Beanstalk environment ", name),
            Replacer::Service(name) => ("", name),
            Replacer::Tagged(key) => ("the AWS service of tag ", key),
        };
        write!(f, "{what}`{}`", Plain(name))
    }
}
