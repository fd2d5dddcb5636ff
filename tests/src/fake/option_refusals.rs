//! Metadata options that EC2 rejects on some instances. One of them fails the whole call.

use super::api_error::ApiError;
use super::instance::FakeMachine;
use super::modify::TemplateOptions;

/// The families of instance types that are built on Xen:
/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-nitro-instances.html>.
const XEN_FAMILIES: &[&str] = &[
    "c1", "c3", "c4", "d2", "f1", "g3", "g3s", "h1", "i2", "i3", "m1", "m2", "m3", "m4", "p2",
    "p3", "r3", "r4", "t1", "t2", "x1", "x1e",
];

/// Why an instance rejects the options that a call names, if it does.
pub(super) fn refusal_of(named: &TemplateOptions, machine: &FakeMachine) -> Option<ApiError> {
    let enables = |option: &Option<String>| option.as_deref() == Some("enabled");
    let instance = &machine.instance;
    if enables(&named.metadata_tags)
        && let Some(key) = instance.tags.keys().find(|key| !is_metadata_key(key))
    {
        return Some(ApiError::new(
            "InvalidParameterValue",
            format!(
                "'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not be a reserved name ('.', '..', '_index')"
            ),
        ));
    }
    if enables(&named.ipv6) && is_xen(&instance.instance_type) {
        let message = format!(
            "The instance type '{}' does not support HttpProtocolIpv6.",
            instance.instance_type
        );
        return Some(ApiError::unsupported(message));
    }
    None
}

/// Whether the metadata service can show a tag of this key.
fn is_metadata_key(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+=,.@:".contains(&byte);
    (1..=255).contains(&key.len())
        && key.bytes().all(allowed)
        && ![".", "..", "_index"].contains(&key)
}

fn is_xen(instance_type: &str) -> bool {
    let (family, size) = instance_type.split_once('.').unwrap_or_default();
    XEN_FAMILIES.contains(&family) && size != "metal"
}
