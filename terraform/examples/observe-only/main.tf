# Reports non-compliant instances in all enabled Regions and changes nothing. The function has no permission to change
# instances. Start with this example.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1" # the home Region
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
  description = "Outputs of the module."
  value       = module.imds_enforcer
}
