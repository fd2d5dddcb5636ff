//! Instance ids: `i-` and 8 or 17 hexadecimal digits. Anything else is malformed wherever the event would
//! be acted on, because an id becomes a value of a filter, in which `*` and `?` are wildcards.

use imds_core::event::{Event, parse};
use imds_core::instance::InstanceId;
use serde_json::json;

use crate::{ITEM, at, event, modified, started};

const NONE: &[&str] = &[
    "",
    " ",
    "i-",
    "i-1",
    "i-0abc",
    "i-0000000",
    "i-000000000",
    "i-0123456789abcdef",
    "i-0123456789abcdef01",
    "i-0123456789abcdefg",
    "i-EXAMPLEaff4840c22",
    "i-abcd",
    "i-YOUR_ID",
    "i-YOUR_INSTANCE_IDS",
    "i-0123456789",
    "i-*",
    "i-0000000*",
    "i-????????",
    "*",
    "I-00000000",
    "i_00000000",
    "i-0000 0000",
    "i-00000000,i-00000001",
    "i-0000000\u{660}",
    "vol-00000000",
    "00000000",
    "mi-0123456789abcdef0",
];

#[test]
fn an_id_has_8_or_17_hexadecimal_digits() {
    for id in [
        "i-00000000",
        "i-abcdef09",
        "i-0123456789abcdef0",
        "i-0123456789ABCDEF0",
    ] {
        assert_eq!(InstanceId::try_from(id).unwrap().as_str(), id);
    }
    for id in NONE {
        let error = InstanceId::try_from(*id).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{id}` is not an instance id (`i-` and 8 or 17 hexadecimal digits)")
        );
    }
}

#[test]
fn a_launch_with_an_id_that_is_none_is_malformed() {
    for id in NONE {
        let json = event(|e| at(e, ITEM)["instanceId"] = json!(id));
        let fault = parse(&json).unwrap_err();
        assert_eq!(
            fault.path, "detail.responseElements.instancesSet.items[0].instanceId",
            "{id}"
        );
    }
}

#[test]
fn a_metadata_change_with_an_id_that_is_none_is_malformed() {
    let path = "detail.requestParameters.ModifyInstanceMetadataOptionsRequest.InstanceId";
    for id in NONE {
        let json = modified(|e| {
            let request = "/detail/requestParameters/ModifyInstanceMetadataOptionsRequest";
            at(e, request)["InstanceId"] = json!(id);
        });
        assert_eq!(parse(&json).unwrap_err().path, path, "{id}");
    }
}

#[test]
fn a_notification_with_an_id_that_is_none_is_malformed() {
    for id in NONE {
        let json = started(json!({ "instance-id": id, "state": "running" }));
        assert_eq!(parse(&json).unwrap_err().path, "detail.instance-id", "{id}");
    }
}

#[test]
fn a_call_that_failed_or_that_does_not_matter_is_ignored_whatever_its_ids() {
    for id in NONE {
        let failed = event(|e| {
            at(e, ITEM)["instanceId"] = json!(id);
            e["detail"]["errorCode"] = json!("Client.DryRunOperation");
        });
        let other = event(|e| {
            at(e, ITEM)["instanceId"] = json!(id);
            e["detail"]["eventName"] = json!("TerminateInstances");
        });
        for json in [failed, other] {
            assert!(matches!(parse(&json), Ok(Event::Ignored(_))), "{id}");
        }
    }
}

#[test]
fn an_id_is_read_from_json_only_where_it_is_one() {
    let read = |json: &str| serde_json::from_str::<InstanceId>(json);
    assert!(read("\"i-0123456789abcdef0\"").is_ok());
    assert!(read("\"i-*\"").is_err() && read("\"i-1\"").is_err() && read("7").is_err());
}
