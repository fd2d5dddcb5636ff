//! An instance as DescribeInstances and RunInstances write it.

use super::attachments::{write_interfaces, write_volumes};
use super::filter::launch_time;
use super::instance::{FakeMachine, Options, state_code};
use super::launch::digits;
use super::spot::{lifecycle, request_id};
use super::xml::Xml;

/// `state`, then each option.
pub(super) fn write_options(xml: &mut Xml, options: &Options, state: &str) {
    xml.text("state", state)
        .text("httpTokens", &options.tokens)
        .plain("httpPutResponseHopLimit", options.hop_limit)
        .text("httpEndpoint", &options.endpoint)
        .text("httpProtocolIpv6", &options.ipv6)
        .text("instanceMetadataTags", &options.metadata_tags);
}

/// `code` and `name`.
pub(super) fn write_state(xml: &mut Xml, state: &str) {
    xml.plain("code", state_code(state)).text("name", state);
}

/// An item of `instancesSet` of DescribeInstances, with the replacements that the test asked for.
pub(super) fn write_described(xml: &mut Xml, machine: &FakeMachine, account: &str) {
    if machine.garbled.is_empty() {
        return write_instance(xml, machine, account);
    }
    let mut one = Xml::default();
    write_instance(&mut one, machine, account);
    for (what, into) in &machine.garbled {
        one.replace(what, into);
    }
    xml.piece(&one);
}

/// An item of `instancesSet`, with as much as matters for size and shape.
pub(super) fn write_instance(xml: &mut Xml, machine: &FakeMachine, account: &str) {
    let instance = &machine.instance;
    let gone = machine.is_terminated();
    let address = Address::new(machine);
    let host = (instance.tenancy == "host").then(|| format!("h-0{}", address.digits));
    let root = if instance.instance_store {
        "instance-store"
    } else {
        "ebs"
    };
    xml.text("instanceId", &instance.id)
        .text("imageId", &instance.image)
        .within("instanceState", |xml| write_state(xml, &instance.state))
        .text("privateDnsName", &address.name)
        .text("dnsName", address.public.as_ref().map_or("", |it| &it.name))
        .text("reason", if gone { "User initiated" } else { "" })
        .plain("amiLaunchIndex", 0)
        .empty("productCodes")
        .text("instanceType", &instance.instance_type)
        .text("launchTime", launch_time(instance.started))
        .within("placement", |xml| {
            xml.text("availabilityZone", &instance.az)
                .empty("groupName")
                .maybe("hostId", host)
                .text("tenancy", &instance.tenancy);
        })
        .within("monitoring", |xml| {
            xml.plain("state", "disabled");
        });
    if !gone {
        xml.text("subnetId", format!("subnet-0{}", &address.digits))
            .text("vpcId", "vpc-0a1b2c3d4e5f60718")
            .text("privateIpAddress", &address.ip)
            .maybe("ipAddress", address.public.as_ref().map(|it| &it.ip))
            .maybe("ipv6Address", instance.ipv6_addresses.first())
            .plain("sourceDestCheck", true)
            .items("groupSet", [()], |xml, ()| write_group(xml));
    }
    xml.plain("architecture", "x86_64")
        .plain("rootDeviceType", root)
        .plain("rootDeviceName", "/dev/xvda");
    write_volumes(xml, machine, &address);
    xml.plain("virtualizationType", "hvm");
    xml.maybe("instanceLifecycle", lifecycle(instance))
        .maybe("spotInstanceRequestId", request_id(machine))
        .text("clientToken", &instance.client_token)
        .items("tagSet", &instance.tags, |xml, (key, value)| {
            xml.text("key", key).text("value", value);
        })
        .plain("hypervisor", "xen");
    write_interfaces(xml, machine, &address, account);
    xml.plain("ebsOptimized", false)
        .within("cpuOptions", |xml| {
            xml.plain("coreCount", 1).plain("threadsPerCore", 2);
        })
        .plain("enaSupport", true);
    if let Some(name) = &instance.instance_profile {
        xml.within("iamInstanceProfile", |xml| {
            xml.text(
                "arn",
                format!("arn:aws:iam::{account}:instance-profile/apps/{name}"),
            )
            .text("id", "AIPA2B3C4D5E6F7G8H9I0");
        });
    }
    if machine.shows_options {
        xml.within("metadataOptions", |xml| {
            write_options(xml, &instance.options, &instance.options.state)
        });
    }
    if let Some(principal) = &instance.managed_by {
        xml.within("operator", |xml| {
            xml.plain("managed", true).text("principal", principal);
        });
    }
}

/// What ids and addresses of an instance are made of.
pub(super) struct Address {
    pub(super) digits: String,
    pub(super) ip: String,
    pub(super) second_ip: String,
    pub(super) name: String,
    pub(super) public: Option<PublicAddress>,
}

/// A public IPv4 address, and its name.
pub(super) struct PublicAddress {
    pub(super) ip: String,
    pub(super) name: String,
}

impl Address {
    fn new(machine: &FakeMachine) -> Self {
        let [.., b, c, d] = machine.number.to_be_bytes();
        let dashed = format!(
            "ip-10-{b}-{c}-{d}.{}.compute.internal",
            machine.instance.region
        );
        let public_ip = machine.instance.public_ip.as_ref();
        let public = public_ip.filter(|_| machine.is(&["pending", "running"]));
        Address {
            public: public.map(|ip| PublicAddress {
                ip: ip.clone(),
                name: format!(
                    "ec2-{}.{}.compute.amazonaws.com",
                    ip.replace('.', "-"),
                    machine.instance.region
                ),
            }),
            digits: digits(machine.number),
            ip: format!("10.{b}.{c}.{d}"),
            second_ip: format!("100.64.{c}.{d}"),
            name: if machine.is_terminated() {
                String::new()
            } else {
                dashed
            },
        }
    }
}

pub(super) fn write_group(xml: &mut Xml) {
    xml.text("groupId", "sg-0f1e2d3c4b5a69788")
        .text("groupName", "default");
}
