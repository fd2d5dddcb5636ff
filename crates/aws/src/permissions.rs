//! What the function's role must allow.

/// IAM actions by what the policy asks for, as `terraform/permissions.json` has them.
///
/// `always`: to describe; `enforce`: to set options, and to remember what was done; `stop` and
/// `terminate` come on top of `enforce`, their fallback.
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
    ("stop", &["ec2:StopInstances"]),
    ("terminate", &["ec2:TerminateInstances"]),
];
