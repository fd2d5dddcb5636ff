//! What the function's role must allow.

/// IAM actions by the policy's action, as in `terraform/permissions.json`.
///
/// `always`: to describe instances; `enforce`: to set options and to record what was done; `stop` and
/// `terminate` also need `enforce`, their fallback.
pub const PERMISSIONS: [(&str, &[&str]); 4] = [
    (
        "always",
        &[
            "ec2:DescribeInstances",
            "ec2:DescribeRegions",
            "cloudwatch:GetMetricData",
        ],
    ),
    (
        "enforce",
        &["ec2:ModifyInstanceMetadataOptions", "ec2:CreateTags"],
    ),
    (
        "stop",
        &["ec2:StopInstances", "ec2:DescribeSpotInstanceRequests"],
    ),
    (
        "terminate",
        &["ec2:TerminateInstances", "ec2:DescribeSpotInstanceRequests"],
    ),
];
