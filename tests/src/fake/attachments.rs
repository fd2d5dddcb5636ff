//! The network interfaces and the volumes of an instance, and when they were attached.

use jiff::Timestamp;

use super::filter::launch_time;
use super::instance::{FakeInstance, FakeMachine};
use super::instance_xml::{Address, PublicAddress, write_group};
use super::launch::LaunchBuilder;
use super::settle::Settle;
use super::xml::Xml;

/// What is attached to an instance. The primary interface and the root volume are attached at its first
/// launch, unless the test says otherwise.
#[derive(Clone, Debug)]
pub(super) struct Attachments {
    primary_interface: Option<AttachTime>,
    second_interface: Option<Timestamp>,
    root_volume: Option<AttachTime>,
    second_volume: Option<Timestamp>,
}

/// When an interface or a volume was attached.
#[derive(Clone, Copy, Debug)]
enum AttachTime {
    FirstLaunch,
    At(Timestamp),
    /// The answer has no `attachTime`.
    Untold,
}

impl Default for Attachments {
    fn default() -> Self {
        Attachments {
            primary_interface: Some(AttachTime::FirstLaunch),
            second_interface: None,
            root_volume: Some(AttachTime::FirstLaunch),
            second_volume: None,
        }
    }
}

impl Attachments {
    /// The earliest time at which something was attached, as DescribeInstances tells it sooner or later;
    /// the first launch if it tells none.
    pub(super) fn oldest(&self, instance: &FakeInstance) -> Timestamp {
        let interfaces = self.interfaces(instance).into_iter().map(|(_, at)| at);
        let volumes = self.volumes(instance).into_iter().map(|(_, at)| at);
        let times = interfaces.chain(volumes).flatten();
        times.min().unwrap_or(instance.first_launched)
    }

    /// Device index and time of each.
    fn interfaces(&self, instance: &FakeInstance) -> Vec<(u8, Option<Timestamp>)> {
        let primary = self.primary_interface.map(|at| (0, at.told(instance)));
        let second = self.second_interface.map(|at| (1, Some(at)));
        primary.into_iter().chain(second).collect()
    }

    /// Device name and time of each.
    fn volumes(&self, instance: &FakeInstance) -> Vec<(&'static str, Option<Timestamp>)> {
        let root = self.root_volume.filter(|_| !instance.instance_store);
        let root = root.map(|at| ("/dev/xvda", at.told(instance)));
        let second = self.second_volume.map(|at| ("/dev/sdf", Some(at)));
        root.into_iter().chain(second).collect()
    }
}

impl AttachTime {
    fn told(self, instance: &FakeInstance) -> Option<Timestamp> {
        match self {
            AttachTime::FirstLaunch => Some(instance.first_launched),
            AttachTime::At(at) => Some(at),
            AttachTime::Untold => None,
        }
    }
}

/// What is attached to it.
impl LaunchBuilder {
    /// Without a primary network interface.
    pub fn no_interface(mut self) -> Self {
        self.attachments.primary_interface = None;
        self
    }

    /// When DescribeInstances begins to show the primary network interface of a visible instance.
    pub fn interface_visible(mut self, when: Settle) -> Self {
        self.interface_visible = when;
        self
    }

    /// The attachment of the primary network interface has no `attachTime`.
    pub fn no_interface_time(mut self) -> Self {
        self.attachments.primary_interface = Some(AttachTime::Untold);
        self
    }

    /// When the primary network interface was attached; by default at the first launch.
    pub fn interface_attached_at(mut self, at: Timestamp) -> Self {
        self.attachments.primary_interface = Some(AttachTime::At(at));
        self
    }

    /// A second network interface, device index 1, attached then.
    pub fn second_interface_at(mut self, at: Timestamp) -> Self {
        self.attachments.second_interface = Some(at);
        self
    }

    /// Without any volume.
    pub fn no_volumes(mut self) -> Self {
        self.attachments.root_volume = None;
        self.attachments.second_volume = None;
        self
    }

    /// When the root volume was attached; by default at the first launch.
    pub fn root_volume_attached_at(mut self, at: Timestamp) -> Self {
        self.attachments.root_volume = Some(AttachTime::At(at));
        self
    }

    /// A second volume, `/dev/sdf`, attached then.
    pub fn second_volume_at(mut self, at: Timestamp) -> Self {
        self.attachments.second_volume = Some(at);
        self
    }
}

/// `blockDeviceMapping`.
pub(super) fn write_volumes(xml: &mut Xml, machine: &FakeMachine, address: &Address) {
    let mut volumes = machine.attachments.volumes(&machine.instance);
    volumes.retain(|_| !machine.is_terminated());
    let volumes = volumes.into_iter().enumerate();
    xml.items(
        "blockDeviceMapping",
        volumes,
        |xml, (number, (device, at))| {
            xml.text("deviceName", device).within("ebs", |xml| {
                xml.text("volumeId", format!("vol-{number}{}", address.digits))
                    .plain("status", "attached")
                    .maybe("attachTime", at.map(launch_time))
                    .plain("deleteOnTermination", number == 0);
            });
        },
    );
}

/// `networkInterfaceSet`.
pub(super) fn write_interfaces(
    xml: &mut Xml,
    machine: &FakeMachine,
    address: &Address,
    account: &str,
) {
    let mut interfaces = machine.attachments.interfaces(&machine.instance);
    let shows_primary = machine.interface_visible.is_over();
    interfaces.retain(|(index, _)| !machine.is_terminated() && (*index > 0 || shows_primary));
    xml.items("networkInterfaceSet", interfaces, |xml, (index, at)| {
        let ip = if index == 0 {
            &address.ip
        } else {
            &address.second_ip
        };
        xml.text(
            "networkInterfaceId",
            format!("eni-{index}{}", address.digits),
        )
        .text("subnetId", format!("subnet-0{}", address.digits))
        .text("vpcId", "vpc-0a1b2c3d4e5f60718")
        .empty("description")
        .text("ownerId", account)
        .plain("status", "in-use")
        .plain(
            "macAddress",
            format_args!("02:ab:cd:ef:01:{:02x}", 0x23 + index),
        )
        .text("privateIpAddress", ip)
        .text("privateDnsName", &address.name)
        .plain("sourceDestCheck", true)
        .items("groupSet", [()], |xml, ()| write_group(xml));
        let public = address.public.as_ref().filter(|_| index == 0);
        write_association(xml, public);
        xml.within("attachment", |xml| {
            xml.text(
                "attachmentId",
                format!("eni-attach-{index}{}", address.digits),
            )
            .plain("deviceIndex", index)
            .plain("status", "attached")
            .maybe("attachTime", at.map(launch_time))
            .plain("deleteOnTermination", index == 0)
            .plain("networkCardIndex", 0);
        })
        .items("privateIpAddressesSet", [()], |xml, ()| {
            xml.text("privateIpAddress", ip)
                .text("privateDnsName", &address.name)
                .plain("primary", true);
            write_association(xml, public);
        })
        .items("ipv6AddressesSet", ipv6(machine, index), |xml, address| {
            xml.text("ipv6Address", address)
                .plain("isPrimaryIpv6", false);
        })
        .plain("interfaceType", "interface");
    });
}

/// All are of the primary interface.
fn ipv6(machine: &FakeMachine, index: u8) -> &[String] {
    let addresses = &machine.instance.ipv6_addresses;
    if index == 0 { addresses } else { &[] }
}

fn write_association(xml: &mut Xml, public: Option<&PublicAddress>) {
    if let Some(public) = public {
        xml.within("association", |xml| {
            xml.text("publicIp", &public.ip)
                .text("publicDnsName", &public.name)
                .text("ipOwnerId", "amazon");
        });
    }
}
