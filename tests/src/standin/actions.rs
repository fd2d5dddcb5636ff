//! The actions: their services, the parameters that they know, what carries them out.

use ciborium::Value;

use super::refusal::Refusal;
use super::request::Request;
use super::world::World;
use super::xml::Xml;
use super::{
    account, attribute, describe, images, launch_configurations, metadata_defaults, metrics,
    modify, power, run, tags, templates,
};

/// One action of one service.
#[derive(Debug)]
pub(super) struct Action {
    service: &'static str,
    name: &'static str,
    /// `None`: too many to name here.
    parameters: Option<&'static [&'static str]>,
    /// Whether it carries out a dry run itself, up to the change; else every dry run would succeed.
    pub(super) rehearses: bool,
    pub(super) run: Run,
}

/// An API with XML: where its documents live and the version that we know.
#[derive(Debug)]
pub(super) struct Service {
    name: &'static str,
    pub(super) namespace: &'static str,
    version: &'static str,
}

pub(super) const EC2: Service = Service {
    name: "ec2",
    namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
    version: "2016-11-15",
};

const SERVICES: &[Service] = &[
    EC2,
    Service {
        name: "sts",
        namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
        version: "2011-06-15",
    },
    Service {
        name: "autoscaling",
        namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/",
        version: "2011-01-01",
    },
];

const MODIFY: &[&str] = &[
    "InstanceId",
    "HttpTokens",
    "HttpEndpoint",
    "HttpPutResponseHopLimit",
    "HttpProtocolIpv6",
    "InstanceMetadataTags",
];
const MODIFY_DEFAULTS: &[&str] = &[
    "HttpTokens",
    "HttpEndpoint",
    "HttpPutResponseHopLimit",
    "InstanceMetadataTags",
    "HttpTokensEnforced",
];
const TEMPLATE_VERSIONS: &[&str] = &[
    "LaunchTemplateId",
    "LaunchTemplateName",
    "LaunchTemplateVersion",
    "MaxResults",
    "NextToken",
];
const IMAGES: &[&str] = &[
    "ImageId",
    "Filter",
    "IncludeDeprecated",
    "IncludeDisabled",
    "MaxResults",
    "NextToken",
];
const LAUNCH_CONFIGURATIONS: &[&str] = &["LaunchConfigurationNames", "MaxRecords", "NextToken"];
const METRICS: &[&str] = &[
    "MetricDataQueries",
    "StartTime",
    "EndTime",
    "ScanBy",
    "MaxDatapoints",
    "NextToken",
];

#[rustfmt::skip]
const ACTIONS: &[Action] = &[
    ec2("DescribeInstances", &["InstanceId", "Filter", "MaxResults", "NextToken"], describe::describe_instances).rehearsing(),
    ec2("ModifyInstanceMetadataOptions", MODIFY, modify::modify_options).rehearsing(),
    ec2("TerminateInstances", &["InstanceId"], power::terminate),
    ec2("StopInstances", &["InstanceId", "Force", "Hibernate"], power::stop),
    ec2("StartInstances", &["InstanceId"], power::start),
    ec2("CreateTags", &["ResourceId", "Tag"], tags::create_tags),
    ec2("DeleteTags", &["ResourceId", "Tag"], tags::delete_tags),
    ec2("DescribeRegions", &["AllRegions", "RegionName", "Filter"], account::describe_regions),
    ec2("DescribeInstanceAttribute", &["InstanceId", "Attribute"], attribute::attribute),
    ec2("GetInstanceMetadataDefaults", &[], metadata_defaults::get_defaults),
    ec2("ModifyInstanceMetadataDefaults", MODIFY_DEFAULTS, metadata_defaults::modify_defaults).rehearsing(),
    ec2("DescribeLaunchTemplates", &["LaunchTemplateId", "LaunchTemplateName", "MaxResults", "NextToken"], templates::describe_templates),
    ec2("DescribeLaunchTemplateVersions", TEMPLATE_VERSIONS, templates::describe_versions),
    ec2("DescribeImages", IMAGES, images::describe),
    Action { service: "ec2", name: "RunInstances", parameters: None, rehearses: false, run: Run::Xml(run::run) },
    other("sts", "GetCallerIdentity", &[], account::caller_identity),
    of("monitoring", "GetMetricData", METRICS, Run::Cbor(metrics::get_metric_data)),
    other("autoscaling", "DescribeLaunchConfigurations", LAUNCH_CONFIGURATIONS, launch_configurations::describe),
];

/// How an action is carried out, by how its service answers.
#[derive(Debug)]
pub(super) enum Run {
    Xml(RunXml),
    Cbor(fn(&mut World, &Request) -> Result<Value, Refusal>),
}

type RunXml = fn(&mut World, &Request, &mut Xml) -> Result<(), Refusal>;

const fn ec2(name: &'static str, parameters: &'static [&'static str], run: RunXml) -> Action {
    other("ec2", name, parameters, run)
}

const fn other(
    service: &'static str,
    name: &'static str,
    parameters: &'static [&'static str],
    run: RunXml,
) -> Action {
    of(service, name, parameters, Run::Xml(run))
}

const fn of(
    service: &'static str,
    name: &'static str,
    parameters: &'static [&'static str],
    run: Run,
) -> Action {
    Action {
        service,
        name,
        parameters: Some(parameters),
        rehearses: false,
        run,
    }
}

impl Action {
    const fn rehearsing(mut self) -> Action {
        self.rehearses = true;
        self
    }
}

/// The API with XML that a call is signed for; EC2 where that isn't known.
pub(super) fn service(name: &str) -> &'static Service {
    SERVICES
        .iter()
        .find(|service| service.name == name)
        .unwrap_or(&EC2)
}

/// The action that a call asks for, with parameters that it knows.
pub(super) fn action(request: &Request) -> Result<&'static Action, Refusal> {
    let action = ACTIONS
        .iter()
        .find(|action| {
            action.service == request.service
                && action.name == request.action
                && matches!(action.run, Run::Cbor(_)) == request.is_cbor
        })
        .ok_or_else(|| unknown(request))?;
    if !request.is_cbor && request.get("Version") != Some(service(&request.service).version) {
        let message = format!(
            "The requested version is not supported by {}.",
            request.service
        );
        return Err(Refusal::new("NoSuchVersion", message));
    }
    if let Some(parameters) = action.parameters {
        request.allow(parameters)?;
    }
    Ok(action)
}

fn unknown(request: &Request) -> Refusal {
    let code = if request.expects_cbor() {
        "UnknownOperationException"
    } else {
        "InvalidAction"
    };
    let message = format!(
        "The action {} is not valid for this web service.",
        request.action
    );
    Refusal::new(code, message)
}
