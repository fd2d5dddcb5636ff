//! What the function's role must allow.

/// IAM actions by the policy's action, as in `terraform/permissions.json`.
///
/// `always`: to describe instances; `state`: to read and write the state table; `enforce`: to set options; `stop` and
/// `terminate` also need `enforce`, their fallback.
pub const PERMISSIONS: [(&str, &[&str]); 5] = [
    (
        "always",
        &[
            "ec2:DescribeInstances",
            "ec2:DescribeRegions",
            "cloudwatch:GetMetricData",
        ],
    ),
    (
        "state",
        &[
            "dynamodb:GetItem",
            "dynamodb:BatchGetItem",
            "dynamodb:UpdateItem",
        ],
    ),
    ("enforce", &["ec2:ModifyInstanceMetadataOptions"]),
    (
        "stop",
        &["ec2:StopInstances", "ec2:DescribeSpotInstanceRequests"],
    ),
    (
        "terminate",
        &["ec2:TerminateInstances", "ec2:DescribeSpotInstanceRequests"],
    ),
];

/// The permission that a call needs, such as `ec2:DescribeInstances`.
pub(crate) fn permission(action: &str) -> String {
    let service = match action {
        "GetMetricData" => "cloudwatch",
        "GetCallerIdentity" | "AssumeRole" => "sts",
        "DescribeLaunchConfigurations" | "DescribeAutoScalingGroups" => "autoscaling",
        action if action.ends_with("Item") || ["Query", "Scan"].contains(&action) => "dynamodb",
        _ => "ec2",
    };
    format!("{service}:{action}")
}
