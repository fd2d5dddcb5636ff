# An account with four enabled Regions and one that is not enabled.
mock_data "aws_caller_identity" {
  defaults = { account_id = "111122223333" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}

mock_data "aws_region" {
  defaults = { region = "eu-central-1" }
}

mock_data "aws_regions" {
  defaults = { names = ["ap-southeast-2", "eu-central-1", "eu-west-1", "us-east-1"] }
}

override_data {
  target = data.aws_regions.known
  values = { names = ["ap-east-1", "ap-southeast-2", "eu-central-1", "eu-west-1", "us-east-1"] }
}
