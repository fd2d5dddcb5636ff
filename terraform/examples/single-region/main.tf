# One region, mended at launch. Instances that run already are mended too, unless they used IMDSv1 within the last month.

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
  description = "Every name that an operator needs."
  value       = module.imds_enforcer
}
