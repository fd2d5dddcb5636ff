# Plans every example. They need the deployment packages of both architectures (`make build`).

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
  mock_data "aws_regions" {
    defaults = { names = ["ap-southeast-2", "eu-central-1", "eu-west-1", "sa-east-1", "us-east-1"] }
  }
  mock_resource "aws_kms_key" {
    override_during = plan
    defaults        = { arn = "arn:aws:kms:eu-central-1:111122223333:key/0e3a5b1c-0000-4000-8000-9d8f70642000" }
  }
}

run "observe_only" {
  command = plan
  module {
    source = "./examples/observe-only"
  }

  assert {
    condition     = length(output.imds_enforcer.regions) == 5 && jsondecode(output.imds_enforcer.policy).on_violation == "report"
    error_message = "expected all Regions and the action `report`"
  }
}

run "single_region" {
  command = plan
  module {
    source = "./examples/single-region"
  }

  assert {
    condition     = output.imds_enforcer.regions == tolist(["eu-west-1"])
    error_message = "regions: ${jsonencode(output.imds_enforcer.regions)}"
  }
}

run "complete" {
  command = plan
  module {
    source = "./examples/complete"
  }

  assert {
    condition     = output.imds_enforcer.watched_regions == tolist(["eu-central-1", "eu-west-1", "us-east-1"])
    error_message = "watched_regions: ${jsonencode(output.imds_enforcer.watched_regions)}"
  }
}
