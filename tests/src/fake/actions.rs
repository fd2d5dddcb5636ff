//! The actions: their services, their parameters and their handlers.

use ciborium::Value;
use serde_json::Value as Json;

use super::api_error::ApiError;
use super::request::{ApiRequest, Protocol};
use super::state::FakeState;
use super::xml::Xml;
use super::{
    account, attribute, describe, fleets, groups, images, launch_configurations, metadata_defaults,
    metrics, modify, power, roles, run, spot, table, tags, templates,
};

/// One action of one service.
#[derive(Debug)]
pub(super) struct ApiAction {
    service: &'static str,
    name: &'static str,
    /// `None`: not checked, because there are too many.
    parameters: Option<&'static [&'static str]>,
    /// Whether it handles dry runs itself, up to the change; otherwise every dry run succeeds.
    pub(super) rehearses: bool,
    pub(super) run: Handler,
}

/// An API with XML: its namespace and its version.
#[derive(Debug)]
pub(super) struct XmlService {
    name: &'static str,
    pub(super) namespace: &'static str,
    version: &'static str,
}

pub(super) const EC2: XmlService = XmlService {
    name: "ec2",
    namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
    version: "2016-11-15",
};

const SERVICES: &[XmlService] = &[
    EC2,
    XmlService {
        name: "sts",
        namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
        version: "2011-06-15",
    },
    XmlService {
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
const TEMPLATES: &[&str] = &[
    "LaunchTemplateId",
    "LaunchTemplateName",
    "IncludeManagedResources",
    "MaxResults",
    "NextToken",
];
const TEMPLATE_VERSIONS: &[&str] = &[
    "LaunchTemplateId",
    "LaunchTemplateName",
    "LaunchTemplateVersion",
    "ResolveAlias",
    "IncludeManagedResources",
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
const GROUPS: &[&str] = &["AutoScalingGroupNames", "MaxRecords", "NextToken"];
const ASSUME_ROLE: &[&str] = &[
    "RoleArn",
    "RoleSessionName",
    "ExternalId",
    "DurationSeconds",
    "SerialNumber",
    "TokenCode",
];
const METRICS: &[&str] = &[
    "MetricDataQueries",
    "StartTime",
    "EndTime",
    "ScanBy",
    "MaxDatapoints",
    "NextToken",
];
const GET_ITEM: &[&str] = &["TableName", "Key", "ConsistentRead"];
const BATCH_GET_ITEM: &[&str] = &["RequestItems"];
const SCAN: &[&str] = &[
    "TableName",
    "ConsistentRead",
    "FilterExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ExclusiveStartKey",
    "Limit",
];
const UPDATE_ITEM: &[&str] = &[
    "TableName",
    "Key",
    "UpdateExpression",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
];
const PUT_ITEM: &[&str] = &[
    "TableName",
    "Item",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
];
const DELETE_ITEM: &[&str] = &[
    "TableName",
    "Key",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
];

#[rustfmt::skip]
const ACTIONS: &[ApiAction] = &[
    ec2("DescribeInstances", &["InstanceId", "Filter", "IncludeManagedResources", "MaxResults", "NextToken"], describe::describe_instances).rehearsing(),
    ec2("ModifyInstanceMetadataOptions", MODIFY, modify::modify_options).rehearsing(),
    ec2("TerminateInstances", &["InstanceId"], power::terminate).rehearsing(),
    ec2("StopInstances", &["InstanceId", "Force", "Hibernate"], power::stop).rehearsing(),
    ec2("StartInstances", &["InstanceId"], power::start),
    ec2("DescribeSpotInstanceRequests", &["SpotInstanceRequestId", "Filter", "MaxResults", "NextToken"], spot::describe_requests),
    ec2("CreateTags", &["ResourceId", "Tag"], tags::create_tags),
    ec2("DeleteTags", &["ResourceId", "Tag"], tags::delete_tags),
    ec2("DescribeRegions", &["AllRegions", "RegionName", "Filter"], account::describe_regions),
    ec2("DescribeInstanceAttribute", &["InstanceId", "Attribute"], attribute::attribute),
    ec2("GetInstanceMetadataDefaults", &[], metadata_defaults::get_defaults),
    ec2("ModifyInstanceMetadataDefaults", MODIFY_DEFAULTS, metadata_defaults::modify_defaults).rehearsing(),
    ec2("DescribeLaunchTemplates", TEMPLATES, templates::describe_templates),
    ec2("DescribeLaunchTemplateVersions", TEMPLATE_VERSIONS, templates::describe_versions),
    ec2("DescribeImages", IMAGES, images::describe),
    ec2("DescribeFleets", &["FleetId", "MaxResults", "NextToken"], fleets::describe_fleets),
    ec2("DescribeSpotFleetRequests", &["SpotFleetRequestId", "MaxResults", "NextToken"], fleets::describe_spot_fleets),
    ApiAction { service: "ec2", name: "RunInstances", parameters: None, rehearses: false, run: Handler::Xml(run::run) },
    other("sts", "GetCallerIdentity", &[], account::caller_identity),
    other("sts", "AssumeRole", ASSUME_ROLE, roles::assume),
    action_of("monitoring", "GetMetricData", METRICS, Handler::Cbor(metrics::get_metric_data)),
    other("autoscaling", "DescribeLaunchConfigurations", LAUNCH_CONFIGURATIONS, launch_configurations::describe),
    other("autoscaling", "DescribeAutoScalingGroups", GROUPS, groups::describe),
    action_of("dynamodb", "GetItem", GET_ITEM, Handler::Json(table::get_item)),
    action_of("dynamodb", "BatchGetItem", BATCH_GET_ITEM, Handler::Json(table::batch_get_item)),
    action_of("dynamodb", "Scan", SCAN, Handler::Json(table::scan)),
    action_of("dynamodb", "UpdateItem", UPDATE_ITEM, Handler::Json(table::update_item)),
    action_of("dynamodb", "PutItem", PUT_ITEM, Handler::Json(table::put_item)),
    action_of("dynamodb", "DeleteItem", DELETE_ITEM, Handler::Json(table::delete_item)),
];

/// What handles an action, by the format of its answers.
#[derive(Debug)]
pub(super) enum Handler {
    Xml(RunXml),
    Cbor(fn(&mut FakeState, &ApiRequest) -> Result<Value, ApiError>),
    Json(fn(&mut FakeState, &ApiRequest) -> Result<Json, ApiError>),
}

impl Handler {
    fn protocol(&self) -> Protocol {
        match self {
            Handler::Xml(_) => Protocol::Query,
            Handler::Cbor(_) => Protocol::Cbor,
            Handler::Json(_) => Protocol::Json,
        }
    }
}

type RunXml = fn(&mut FakeState, &ApiRequest, &mut Xml) -> Result<(), ApiError>;

const fn ec2(name: &'static str, parameters: &'static [&'static str], run: RunXml) -> ApiAction {
    other("ec2", name, parameters, run)
}

const fn other(
    service: &'static str,
    name: &'static str,
    parameters: &'static [&'static str],
    run: RunXml,
) -> ApiAction {
    action_of(service, name, parameters, Handler::Xml(run))
}

const fn action_of(
    service: &'static str,
    name: &'static str,
    parameters: &'static [&'static str],
    run: Handler,
) -> ApiAction {
    ApiAction {
        service,
        name,
        parameters: Some(parameters),
        rehearses: false,
        run,
    }
}

impl ApiAction {
    const fn rehearsing(mut self) -> ApiAction {
        self.rehearses = true;
        self
    }
}

/// Service, name and parameters of every action; `None` where parameters are not checked.
pub fn actions()
-> impl Iterator<Item = (&'static str, &'static str, Option<&'static [&'static str]>)> {
    let actions = ACTIONS.iter();
    actions.map(|action| (action.service, action.name, action.parameters))
}

/// The API with XML that a call is signed for; EC2 if it is unknown.
pub(super) fn service(name: &str) -> &'static XmlService {
    SERVICES
        .iter()
        .find(|service| service.name == name)
        .unwrap_or(&EC2)
}

/// The action of a call, with its parameters checked.
pub(super) fn action(request: &ApiRequest) -> Result<&'static ApiAction, ApiError> {
    let action = ACTIONS
        .iter()
        .find(|action| {
            action.service == request.service
                && action.name == request.action
                && action.run.protocol() == request.protocol
        })
        .ok_or_else(|| unknown(request))?;
    let is_form = request.protocol == Protocol::Query;
    if is_form && request.get("Version") != Some(service(&request.service).version) {
        let message = format!(
            "The requested version is not supported by {}.",
            request.service
        );
        return Err(ApiError::new("NoSuchVersion", message));
    }
    if let Some(parameters) = action.parameters {
        request.allow(parameters)?;
    }
    Ok(action)
}

fn unknown(request: &ApiRequest) -> ApiError {
    let code = if request.expects_cbor() || request.expects_json() {
        "UnknownOperationException"
    } else {
        "InvalidAction"
    };
    let message = format!(
        "The action {} is not valid for this web service.",
        request.action
    );
    ApiError::new(code, message)
}
