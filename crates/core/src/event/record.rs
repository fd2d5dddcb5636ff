//! CloudTrail's record of an EC2 call, as far as it concerns metadata options.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::envelope::Envelope;
use super::field::{instance_id, region, shown, time_of};
use super::lenient::{List, Number, Text, structure, time};
use super::malformed::Malformed;
use super::recorded_options::RecordedOptions;
use super::{Event, Ignored, Launch, MetadataChange, Origin, Reason, Start};
use crate::instance::Instance;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CloudTrailRecord {
    event_name: Text,
    #[serde(default)]
    event_source: Option<Text>,
    #[serde(default)]
    event_time: Option<Text>,
    #[serde(default)]
    aws_region: Option<Text>,
    #[serde(default)]
    error_code: Option<Text>,
    #[serde(default)]
    recipient_account_id: Option<Text>,
    #[serde(default, deserialize_with = "structure")]
    user_identity: Option<RecordedIdentity>,
    #[serde(default, alias = "RequestParameters", deserialize_with = "structure")]
    request_parameters: Option<RecordedRequest>,
    #[serde(default, alias = "ResponseElements", deserialize_with = "structure")]
    response_elements: Option<RecordedResponse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedIdentity {
    #[serde(default)]
    account_id: Option<Text>,
    #[serde(default)]
    arn: Option<Text>,
    #[serde(default)]
    invoked_by: Option<Text>,
    #[serde(default, deserialize_with = "structure")]
    session_context: Option<RecordedSession>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedSession {
    #[serde(default, deserialize_with = "structure")]
    session_issuer: Option<RecordedIssuer>,
}

#[derive(Debug, Deserialize)]
struct RecordedIssuer {
    #[serde(default)]
    arn: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedRequest {
    #[serde(default)]
    client_token: Option<Text>,
    #[serde(default)]
    instances_set: List<RequestedInstances>,
    #[serde(
        default,
        rename = "ModifyInstanceMetadataOptionsRequest",
        deserialize_with = "structure"
    )]
    modify: Option<RecordedOptions>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestedInstances {
    /// Of `StartInstances`.
    #[serde(default)]
    instance_id: Option<Text>,
    #[serde(default)]
    min_count: Option<Number>,
    #[serde(default)]
    max_count: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedResponse {
    #[serde(default)]
    instances_set: List<RecordedInstance>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedInstance {
    #[serde(default)]
    instance_id: Option<Text>,
    #[serde(default)]
    image_id: Option<Text>,
    #[serde(default)]
    instance_type: Option<Text>,
    #[serde(default)]
    launch_time: Option<Number>,
    #[serde(default)]
    tag_set: List<RecordedTag>,
    #[serde(default, deserialize_with = "structure")]
    metadata_options: Option<RecordedOptions>,
}

#[derive(Debug, Deserialize)]
struct RecordedTag {
    key: Text,
    #[serde(default)]
    value: Option<Text>,
}

impl CloudTrailRecord {
    /// `at` is the record's own path within the event, and empty for a bare record.
    pub(super) fn into_event(self, at: &str, envelope: &Envelope) -> Result<Event, Malformed> {
        let call = self.event_name.trim().to_owned();
        let of_ec2 = self
            .event_source
            .as_deref()
            .is_none_or(|s| s.starts_with("ec2.amazonaws.com"));
        let read = match call.as_str() {
            "RunInstances" if of_ec2 => Self::launch,
            "StartInstances" if of_ec2 => Self::start,
            "ModifyInstanceMetadataOptions" if of_ec2 => Self::metadata_change,
            _ if self.prepares_launches(&call) => {
                return Ok(self.ignored(envelope, Reason::LaterLaunches(call)));
            }
            _ => return Ok(self.ignored(envelope, Reason::OtherCall(call))),
        };
        if let Some(code) = self.error_code.as_deref().filter(|code| !code.is_empty()) {
            let error_code = code.to_owned();
            return Ok(self.ignored(envelope, Reason::FailedCall { call, error_code }));
        }
        read(self, envelope).map_err(|e| if e.path == "region" { e } else { e.under(at) })
    }

    /// Whether the call can determine the metadata options of later launches.
    fn prepares_launches(&self, call: &str) -> bool {
        let source = self.event_source.as_deref().unwrap_or_default();
        match source.split_once(".amazonaws.com") {
            Some(("ec2", _)) => matches!(
                call,
                "CreateFleet"
                    | "CreateLaunchTemplate"
                    | "CreateLaunchTemplateVersion"
                    | "ModifyFleet"
                    | "ModifyImageAttribute"
                    | "ModifyInstanceMetadataDefaults"
                    | "ModifyLaunchTemplate"
                    | "ModifySpotFleetRequest"
                    | "RegisterImage"
                    | "RequestSpotFleet"
            ),
            Some(("autoscaling", _)) => matches!(
                call,
                "CreateAutoScalingGroup" | "CreateLaunchConfiguration" | "UpdateAutoScalingGroup"
            ),
            Some(("organizations", _)) => {
                matches!(call, "AttachPolicy" | "DetachPolicy" | "UpdatePolicy")
            }
            _ => false,
        }
    }

    fn launch(self, envelope: &Envelope) -> Result<Event, Malformed> {
        let origin = self.origin(envelope)?;
        let request = self.request_parameters;
        let asked = request.as_ref().and_then(|r| asked(&r.instances_set));
        let client_token = request.and_then(|r| r.client_token).map(Text::into_inner);
        let launched = self
            .response_elements
            .map(|r| r.instances_set.0)
            .unwrap_or_default();
        let instances = launched
            .into_iter()
            .enumerate()
            .map(|(n, launched)| {
                let at = format!("responseElements.instancesSet.items[{n}]");
                launched.into_instance(&origin).map_err(|e| e.under(&at))
            })
            .collect::<Result<_, _>>()?;
        let client_token = client_token.filter(|token| !token.is_empty());
        Ok(Event::Launch(Launch {
            origin,
            instances,
            client_token,
            asked,
        }))
    }

    /// The response names the instances that EC2 starts; the request names them too.
    fn start(self, envelope: &Envelope) -> Result<Event, Malformed> {
        let origin = self.origin(envelope)?;
        let started = self.response_elements.map(|it| it.instances_set.0);
        let started = started.unwrap_or_default().into_iter();
        let started: Vec<Option<Text>> = started.map(|it| it.instance_id).collect();
        let requested = self.request_parameters.map(|it| it.instances_set.0);
        let requested = requested.unwrap_or_default().into_iter();
        let requested: Vec<Option<Text>> = requested.map(|it| it.instance_id).collect();
        let (of, ids) = if started.is_empty() {
            ("requestParameters", requested)
        } else {
            ("responseElements", started)
        };
        let path = format!("{of}.instancesSet.items");
        if ids.is_empty() {
            return Err(Malformed::new(
                path,
                "missing: expected the started instances",
            ));
        }
        let mut instance_ids = Vec::new();
        for (n, id) in ids.into_iter().enumerate() {
            let id = instance_id(id, &format!("{path}[{n}].instanceId"))?;
            if !instance_ids.contains(&id) {
                instance_ids.push(id);
            }
        }
        Ok(Event::Start(Start {
            origin,
            instance_ids,
        }))
    }

    fn metadata_change(self, envelope: &Envelope) -> Result<Event, Malformed> {
        let origin = self.origin(envelope)?;
        let at = "requestParameters.ModifyInstanceMetadataOptionsRequest";
        let Some(request) = self.request_parameters.and_then(|r| r.modify) else {
            return Err(Malformed::new(
                at,
                "missing: expected `InstanceId` and the options",
            ));
        };
        let role = self
            .user_identity
            .and_then(|identity| identity.session_context?.session_issuer?.arn);
        Ok(Event::MetadataChange(MetadataChange {
            origin,
            instance_id: instance_id(request.instance_id, &format!("{at}.InstanceId"))?,
            set: request.options,
            role: role.map(Text::into_inner),
        }))
    }

    fn ignored(&self, envelope: &Envelope, reason: Reason) -> Event {
        let region = self.aws_region.as_deref().or(envelope.region.as_deref());
        Event::Ignored(Ignored {
            account: self.account(envelope),
            region: region.map(shown),
            reason,
        })
    }

    fn account(&self, envelope: &Envelope) -> Option<String> {
        let of_caller = self
            .user_identity
            .as_ref()
            .and_then(|u| u.account_id.as_deref());
        let account = self
            .recipient_account_id
            .as_deref()
            .or(envelope.account.as_deref())
            .or(of_caller);
        account.map(shown)
    }

    fn origin(&self, envelope: &Envelope) -> Result<Origin, Malformed> {
        let identity = self.user_identity.as_ref();
        let issuer = identity.and_then(|u| u.session_context.as_ref()?.session_issuer.as_ref());
        let principals = [
            identity.and_then(|u| u.arn.as_deref()),
            issuer.and_then(|i| i.arn.as_deref()),
            identity.and_then(|u| u.invoked_by.as_deref()),
        ];
        let region = match &self.aws_region {
            Some(text) => region(Some(text), "awsRegion")?,
            None if envelope.region.is_some() => region(envelope.region.as_deref(), "region")?,
            None => region(None, "awsRegion")?,
        };
        Ok(Origin {
            account: self.account(envelope),
            region,
            time: match &self.event_time {
                Some(text) => time(text),
                None => time_of(envelope),
            },
            principals: principals
                .into_iter()
                .flatten()
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl RecordedInstance {
    fn into_instance(self, origin: &Origin) -> Result<Instance, Malformed> {
        let id = instance_id(self.instance_id, "instanceId")?;
        let mut instance = Instance::unknown(id, origin.region.clone());
        instance.account = origin.account.clone();
        instance.image = self.image_id.map(Text::into_inner);
        instance.instance_type = self.instance_type.map(Text::into_inner);
        instance.principals = origin.principals.clone();
        instance.started_at = match self.launch_time {
            Some(Number(ms)) => Some(
                Timestamp::from_millisecond(ms)
                    .map_err(|e| Malformed::new("launchTime", e.to_string()))?,
            ),
            None => origin.time,
        };
        instance.tags = (self.tag_set.0.into_iter())
            .map(|tag| {
                (
                    tag.key.into_inner(),
                    tag.value.map(Text::into_inner).unwrap_or_default(),
                )
            })
            .collect::<BTreeMap<_, _>>();
        instance.options = self.metadata_options.unwrap_or_default().options;
        Ok(instance)
    }
}

fn asked(counts: &List<RequestedInstances>) -> Option<(usize, usize)> {
    let sum = |read: fn(&RequestedInstances) -> Option<Number>| {
        let mut counts = counts
            .0
            .iter()
            .map(|c| read(c).and_then(|Number(n)| usize::try_from(n).ok()));
        let sum = counts.try_fold(0_usize, |sum, n| Some(sum.saturating_add(n?)));
        sum.filter(|&n| n > 0)
    };
    let least = sum(|c| c.min_count)?;
    let most = sum(|c| c.max_count).unwrap_or(least);
    Some((least, most.max(least)))
}
