# Enforces the policy on launches in one Region, and on existing instances that have not used IMDSv1 in the last 30 days.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

module "imds_enforcer" {
  source = "../.."

  regions      = ["eu-west-1"]
  architecture = "arm64"
  policy = {
    require      = { http_tokens = "required", hop_limit = { at_most = 2 } }
    on_violation = "enforce"
    existing     = { usage_window_days = 30, in_use = "report", unknown = "enforce" }
  }
}

output "imds_enforcer" {
  description = "Outputs of the module."
  value       = module.imds_enforcer
}
