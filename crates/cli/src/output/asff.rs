//! Findings in the AWS Security Finding Format, as `BatchImportFindings` of AWS Security Hub takes them.
//!
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html>

use std::io;
use std::net::IpAddr;

use imds_engine::ScannedInstance;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::checks::{Check, CheckResult, CheckStatus, Severity, results, text};
use super::json;
use crate::document::Document;

/// The input of `BatchImportFindings`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchImportFindings {
    findings: Vec<Value>,
}

/// Writes the findings, one a line.
pub(super) fn write(document: &Document, out: &mut dyn io::Write) -> io::Result<()> {
    let results = results(document)?;
    let findings = results.iter().map(|it| finding(it, document)).collect();
    json::write(&BatchImportFindings { findings }, out)
}

fn finding(result: &CheckResult, document: &Document) -> Value {
    let CheckResult {
        check,
        account,
        region,
        ..
    } = result;
    let partition = result.partition();
    let severity = match result.severity() {
        Severity::Informational => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
    };
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": result.id(),
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
        "ProductName": "imds-enforcer",
        "GeneratorId": format!("imds-enforcer/{}", check.id()),
        "AwsAccountId": account,
        "Region": region,
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "CreatedAt": document.at,
        "UpdatedAt": document.at,
        "Severity": { "Label": severity },
        "Title": check.title(),
        "Description": text(&result.reason, 1024),
        "Remediation": { "Recommendation": { "Text": check.remediation(), "Url": check.url() } },
        "Resources": [resource(result)],
        "Compliance": {
            "Status": match result.status {
                CheckStatus::Passed => "PASSED",
                CheckStatus::Exempt => "WARNING",
                CheckStatus::Failed => "FAILED",
                CheckStatus::Unknown | CheckStatus::Gone => "NOT_AVAILABLE",
            },
        },
        "RecordState": match result.status {
            CheckStatus::Gone => "ARCHIVED",
            _ => "ACTIVE",
        },
    })
}

fn resource(result: &CheckResult) -> Value {
    let kind = match result.check {
        Check::Instance => "AwsEc2Instance",
        Check::Region => "AwsAccount",
    };
    let mut fields = vec![
        ("Type", json!(kind)),
        ("Id", json!(result.resource())),
        ("Partition", json!(result.partition())),
        ("Region", json!(result.region)),
    ];
    if let Some(instance) = result.instance {
        let details = details(instance);
        fields.push(("Details", json!({ "AwsEc2Instance": details })));
        if !instance.tags.is_empty() {
            fields.push(("Tags", json!(instance.tags)));
        }
    }
    fields.into_iter().collect()
}

/// What is not known is left out: Security Hub accepts no `null`.
fn details(instance: &ScannedInstance) -> Map<String, Value> {
    let report = &instance.report;
    let options = report.after.or(report.before).unwrap_or_default();
    let options = known([
        ("HttpEndpoint", json!(options.http_endpoint)),
        ("HttpProtocolIpv6", json!(options.http_protocol_ipv6)),
        ("HttpPutResponseHopLimit", json!(options.hop_limit)),
        ("HttpTokens", json!(options.http_tokens)),
        (
            "InstanceMetadataTags",
            json!(options.instance_metadata_tags),
        ),
    ]);
    let addresses = |is_wanted: fn(&IpAddr) -> bool| {
        let addresses = instance.public_addresses.iter().filter(|it| is_wanted(it));
        let addresses: Vec<&IpAddr> = addresses.collect();
        (!addresses.is_empty()).then_some(addresses)
    };
    known([
        ("Type", json!(instance.instance_type)),
        ("ImageId", json!(instance.image)),
        ("IamInstanceProfileArn", json!(instance.instance_profile)),
        ("LaunchedAt", json!(instance.started_at)),
        ("IpV4Addresses", json!(addresses(IpAddr::is_ipv4))),
        ("IpV6Addresses", json!(addresses(IpAddr::is_ipv6))),
        ("MetadataOptions", Value::Object(options)),
    ])
}

fn known<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    let known = fields.into_iter().filter(|(_, value)| !value.is_null());
    known
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
