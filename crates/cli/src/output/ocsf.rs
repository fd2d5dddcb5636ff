//! Compliance Findings of the Open Cybersecurity Schema Framework.
//!
//! <https://schema.ocsf.io/1.5.0/classes/compliance_finding?profiles=cloud>

use std::io;

use imds_engine::ScannedInstance;
use serde_json::{Value, json};

use super::checks::{CheckResult, CheckStatus, Severity, results, text};
use super::json;
use crate::document::Document;

const VERSION: &str = "1.5.0";
/// Compliance Finding, in the category Findings.
const CLASS: u32 = 2003;

/// Writes the events as a list, one a line.
pub(super) fn write(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let results = results(document)?;
    json::write_list(results.iter().map(|it| event(it, document)), out)
}

fn event(result: &CheckResult, document: &Document) -> Value {
    let check = result.check;
    let at = document.at.as_millisecond();
    let (activity_id, activity_name) = match result.status {
        CheckStatus::Gone => (3, "Close"),
        _ => (2, "Update"),
    };
    let (status_id, status) = match result.status {
        CheckStatus::Passed | CheckStatus::Gone => (4, "Resolved"),
        CheckStatus::Exempt => (3, "Suppressed"),
        CheckStatus::Failed | CheckStatus::Unknown => (1, "New"),
    };
    let (severity_id, severity) = match result.severity() {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
    };
    json!({
        "class_uid": CLASS,
        "class_name": "Compliance Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity_id,
        "activity_name": activity_name,
        "type_uid": CLASS * 100 + activity_id,
        "type_name": format!("Compliance Finding: {activity_name}"),
        "time": at,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "message": text(&result.reason, 1024),
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": {
                "name": "imds-enforcer",
                "vendor_name": "imds-enforcer",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
        "cloud": {
            "provider": "AWS",
            "region": result.region,
            "cloud_partition": result.partition(),
            "account": { "uid": result.account, "type": "AWS Account", "type_id": 10 },
        },
        "finding_info": {
            "uid": result.id(),
            "title": check.title(),
            "desc": text(&result.reason, 1024),
            "modified_time": at,
        },
        "compliance": compliance(result),
        "remediation": { "desc": check.remediation(), "references": [check.url()] },
        "resources": [resource(result)],
    })
}

fn compliance(result: &CheckResult) -> Value {
    let (status_id, status) = match result.status {
        CheckStatus::Passed => (1, "Pass"),
        CheckStatus::Exempt => (2, "Warning"),
        CheckStatus::Failed => (3, "Fail"),
        CheckStatus::Unknown | CheckStatus::Gone => (0, "Unknown"),
    };
    json!({
        "control": result.check.id(),
        "standards": ["imds-enforcer"],
        "status_id": status_id,
        "status": status,
        "status_details": [text(&result.reason, 1024)],
    })
}

fn resource(result: &CheckResult) -> Value {
    let kind = match result.instance {
        None => "AWS::::Account",
        Some(_) => "AWS::EC2::Instance",
    };
    let mut fields = vec![
        ("uid", json!(result.resource())),
        ("type", json!(kind)),
        ("region", json!(result.region)),
        ("cloud_partition", json!(result.partition())),
    ];
    if let Some(instance) = result.instance {
        fields.extend(described(instance));
    }
    fields.into_iter().collect()
}

fn described(instance: &ScannedInstance) -> Vec<(&'static str, Value)> {
    let tags = instance.tags.iter();
    let tags = tags.map(|(name, value)| json!({ "name": name, "value": value }));
    let report = &instance.report;
    let data = json!({
        "metadata_options": report.after.or(report.before),
        "instance_type": instance.instance_type,
        "image": instance.image,
        "instance_profile": instance.instance_profile,
        "public_addresses": instance.public_addresses,
    });
    let mut fields = vec![("tags", tags.collect()), ("data", data)];
    fields.extend(instance.name.iter().map(|name| ("name", json!(name))));
    fields
}
