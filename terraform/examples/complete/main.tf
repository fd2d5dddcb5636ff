# Sets most inputs, with a policy that uses every action.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

data "aws_caller_identity" "current" {}

module "imds_enforcer" {
  source = "../.."

  name               = "imds-enforcer-production"
  excluded_regions   = ["sa-east-1"]
  sweep_only_regions = ["ap-southeast-2"]

  policy = {
    require      = { http_tokens = "required", hop_limit = { at_most = 2 }, instance_metadata_tags = "disabled" }
    on_violation = "enforce"
    rules = [
      {
        name    = "legacy scanner"
        when    = { tags = { app = ["scanner-*"] } }
        action  = "exempt"
        expires = "2027-03-31"
        reason  = "vendor ticket 4711"
      },
      {
        name   = "launched manually"
        when   = { principals = ["arn:aws:sts::*:assumed-role/AWSReservedSSO_*"], auto_scaling = false }
        action = "stop"
      },
      {
        name   = "sandboxes"
        when   = { tags = { stage = ["sandbox", "scratch"] }, regions = ["us-*"] }
        action = "terminate"
      },
      {
        name    = "kubernetes"
        when    = { tags = { "kubernetes.io/cluster/*" = ["owned", "shared"] } }
        require = { hop_limit = { at_least = 2, at_most = 3 } }
      },
    ]
    new_instances = { grace_seconds = 120 }
    existing      = { usage_window_days = 30, in_use = "report", unknown = "enforce", stop_when_rejected = true }
    limits        = { disruptions_per_hour = 5, existing_per_hour = 100 }
  }

  memory               = 512
  timeout              = 600
  reserved_concurrency = 20
  log_level            = "DEBUG"
  log_retention_days   = 365
  log_skip_destroy     = true
  system_log_level     = "INFO"
  sweep_schedule       = "rate(30 minutes)"
  watch_state_changes  = true
  subscriptions = [
    { protocol = "email", endpoint = "security@example.org" },
    { protocol = "https", endpoint = "https://alerts.example.org/imds" },
  ]

  account_defaults          = { http_tokens = "required", hop_limit = 2 }
  archive_days              = 30
  state_deletion_protection = true
  create_trail              = true
  kms_key_arn               = aws_kms_key.imds_enforcer.arn
  permissions_boundary_arn  = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:policy/boundary"
  tags                      = { owner = "security" }
}

# The key policy that the module requires, in addition to administration of the key.
resource "aws_kms_key" "imds_enforcer" {
  description = "imds-enforcer: environment variables, logs, state table, topic, and queues"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Administration"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # EventBridge does not support conditions here when it publishes to an encrypted topic.
        Sid       = "RulesAndAlarms"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "cloudwatch.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.eu-central-1.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-central-1:${data.aws_caller_identity.current.account_id}:log-group:/aws/lambda/imds-enforcer-production" } }
      },
    ]
  })
}

output "imds_enforcer" {
  description = "Outputs of the module."
  value       = module.imds_enforcer
}
