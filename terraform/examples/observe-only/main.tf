# The first step in an account: every enabled region is watched and swept, what is wrong is reported, nothing is changed.
# The function's role allows nothing that changes an instance.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1" # the home region
}

module "imds_enforcer" {
  source = "../.."

  policy = {
    require      = { http_tokens = "required" }
    on_violation = "report"
  }
  subscriptions = [{ protocol = "email", endpoint = "security@example.org" }]
}

output "imds_enforcer" {
  description = "Every name that an operator needs."
  value       = module.imds_enforcer
}
