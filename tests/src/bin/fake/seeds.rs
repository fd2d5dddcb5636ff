//! What the account has without a call of its API, as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imds_tests::{
    AssumableRole, Defaults, FakeAws, InjectedFault, LaunchBuilder, Settle, TemplateData,
    TemplateOptions, fleet, group, image, launch, launch_configuration,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// Such as `{"image": {"region": "eu-central-1", "id": "ami-0123456789abcdef0"}}`.
#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum Seed {
    Instance(InstanceSeed),
    Image {
        region: String,
        id: String,
        name: String,
        imds_v2: bool,
    },
    Template {
        region: String,
        name: String,
        versions: Vec<OriginSeed>,
        default: u64,
    },
    LaunchConfiguration {
        region: String,
        name: String,
        origin: OriginSeed,
    },
    /// A group with a mixed instances policy, of which one override has a template of its own, and one an
    /// image.
    Group {
        region: String,
        name: String,
        template: String,
        version: String,
        image: String,
    },
    /// An EC2 Fleet, and a Spot Fleet of the same template.
    Fleets {
        region: String,
        template: String,
        version: String,
    },
    /// A Systems Manager parameter that holds the id of an image.
    Parameter {
        region: String,
        name: String,
        image: String,
    },
    Datapoints {
        instance: String,
        metric: String,
        points: Vec<(Timestamp, f64)>,
    },
    /// The defaults that a declarative policy of the organisation sets.
    Policy {
        region: String,
        tokens: String,
    },
    /// Somebody who may do everything in the state table.
    Person {
        access_key: String,
    },
    /// A role that requires the code of a device, which is valid once.
    Role(RoleSeed),
    /// An item that the next batch leaves unprocessed.
    Unprocessed {
        key: String,
    },
    /// Answers the next call of the action half a minute after it has taken effect.
    Delay {
        action: String,
    },
    /// Hides what is launched from so many DescribeInstances.
    Hide {
        describes: u32,
    },
    /// Asks how many calls of the action have arrived.
    Count {
        action: String,
    },
    /// Throttles the next call of the action.
    Throttle {
        action: String,
    },
}

/// An instance that no call launches.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InstanceSeed {
    region: String,
    state: String,
    launched: Timestamp,
    started: Timestamp,
    tags: BTreeMap<String, String>,
    tenancy: String,
    second_interface: Option<Timestamp>,
    second_volume: Option<Timestamp>,
    /// `one-time` or `persistent`.
    spot: Option<String>,
    #[serde(default)]
    capacity_block: bool,
    managed_by: Option<String>,
    instance_profile: Option<String>,
    public_ip: Option<String>,
    #[serde(default)]
    ipv6_addresses: Vec<String>,
}

/// A role and its MFA device.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RoleSeed {
    name: String,
    serial: String,
    code: String,
    external_id: String,
}

impl RoleSeed {
    fn role(self) -> AssumableRole {
        AssumableRole {
            name: self.name,
            mfa: Some((self.serial, self.code)),
            external_id: Some(self.external_id),
            longest_session: 3600,
        }
    }
}

/// What instances are launched from, in the words of the API.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OriginSeed {
    image_id: String,
    /// In base64.
    user_data: String,
    metadata_options: OptionsSeed,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OptionsSeed {
    http_tokens: String,
    http_endpoint: String,
    http_put_response_hop_limit: u8,
    http_protocol_ipv6: Option<String>,
    instance_metadata_tags: Option<String>,
}

impl Seed {
    /// Adds it; returns its id, if the fake has chosen one.
    pub(crate) fn add(self, fake: &FakeAws) -> Value {
        match self {
            Seed::Instance(seed) => return json!(fake.launch(seed.builder())),
            Seed::Image {
                region,
                id,
                name,
                imds_v2,
            } => {
                let image = image(&id).name(&name);
                fake.add_image(&region, if imds_v2 { image.imds_v2() } else { image });
            }
            Seed::Template {
                region,
                name,
                versions,
                default,
            } => {
                let id = fake.template(&region, &name);
                for version in versions {
                    fake.template_version(&id, version.data());
                }
                fake.set_default_version(&id, default);
                return json!(id);
            }
            Seed::LaunchConfiguration {
                region,
                name,
                origin,
            } => {
                let options = &origin.metadata_options;
                let configuration = launch_configuration(&name)
                    .image(&origin.image_id)
                    .user_data(origin.user_data())
                    .tokens(&options.http_tokens)
                    .endpoint(&options.http_endpoint)
                    .hop_limit(options.http_put_response_hop_limit);
                fake.add_launch_configuration(&region, configuration);
            }
            Seed::Group {
                region,
                name,
                template,
                version,
                image,
            } => {
                let whole = group(&name).template(&template, &version);
                let mixed = whole.template_override(&template, "$Latest");
                fake.add_group(&region, mixed.image_override(&image));
            }
            Seed::Fleets {
                region,
                template,
                version,
            } => {
                let ids = [
                    fake.add_fleet(&region, fleet(&template, &version)),
                    fake.add_spot_fleet(&region, fleet(&template, &version)),
                ];
                return json!(ids);
            }
            Seed::Parameter {
                region,
                name,
                image,
            } => fake.set_parameter(&region, &name, &image),
            Seed::Datapoints {
                instance,
                metric,
                points,
            } => {
                for (at, value) in points {
                    fake.datapoint(&instance, &metric, at, value);
                }
            }
            Seed::Policy { region, tokens } => fake.set_defaults(
                &region,
                Defaults {
                    tokens: Some(tokens),
                    managed_by: Some("declarative-policy".to_owned()),
                    ..Defaults::default()
                },
            ),
            Seed::Person { access_key } => fake.allow_people(&access_key),
            Seed::Role(seed) => fake.add_role(seed.role()),
            Seed::Unprocessed { key } => fake.leave_unprocessed(&key, 1),
            Seed::Delay { action } => {
                let delay = InjectedFault::delay_answer(Duration::from_secs(30));
                fake.fault(delay.action(&action).times(1));
            }
            Seed::Hide { describes } => {
                fake.set_launches_visible(Settle::Describes(describes));
            }
            Seed::Count { action } => return json!(fake.count(&action)),
            Seed::Throttle { action } => {
                fake.fault(InjectedFault::throttle().action(&action).times(1));
            }
        }
        Value::Null
    }
}

impl InstanceSeed {
    fn builder(self) -> LaunchBuilder {
        let mut plan = launch(&self.region)
            .state(&self.state)
            .launched_at(self.launched)
            .started_at(self.started)
            .tenancy(&self.tenancy);
        for (key, value) in &self.tags {
            plan = plan.tag(key, value);
        }
        if let Some(at) = self.second_interface {
            plan = plan.second_interface_at(at);
        }
        if let Some(at) = self.second_volume {
            plan = plan.second_volume_at(at);
        }
        match self.spot.as_deref() {
            Some("persistent") => plan = plan.persistent_spot(),
            Some(_) => plan = plan.spot(),
            None => {}
        }
        if self.capacity_block {
            plan = plan.capacity_block();
        }
        if let Some(principal) = &self.managed_by {
            plan = plan.managed_by(principal);
        }
        if let Some(name) = &self.instance_profile {
            plan = plan.instance_profile(name);
        }
        if let Some(address) = &self.public_ip {
            plan = plan.public_ip(address);
        }
        for address in &self.ipv6_addresses {
            plan = plan.ipv6_address(address);
        }
        plan
    }
}

impl OriginSeed {
    fn data(self) -> TemplateData {
        let user_data = self.user_data();
        let options = self.metadata_options;
        TemplateData::from(TemplateOptions {
            tokens: Some(options.http_tokens),
            endpoint: Some(options.http_endpoint),
            hop_limit: Some(options.http_put_response_hop_limit),
            ipv6: options.http_protocol_ipv6,
            metadata_tags: options.instance_metadata_tags,
        })
        .image(&self.image_id)
        .user_data(user_data)
    }

    fn user_data(&self) -> Vec<u8> {
        let bytes = STANDARD.decode(&self.user_data);
        bytes.expect("user data is base64")
    }
}
