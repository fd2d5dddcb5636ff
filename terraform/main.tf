# The account and the Regions. The function is in the home Region; every monitored Region sends its events there.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

# Regions that are enabled in the account.
data "aws_regions" "enabled" {}

# All Regions of the partition.
data "aws_regions" "known" {
  all_regions = true
}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  home      = data.aws_region.current.region

  # Regions that sweeps scan.
  regions = sort(setsubtract(coalesce(var.regions, data.aws_regions.enabled.names), var.excluded_regions))

  # Regions that also send events.
  watched = toset(setsubtract(local.regions, var.sweep_only_regions))

  # Built from names, not from resource attributes, so that plans show complete policy documents.
  arn = {
    bus            = "arn:${local.partition}:events:${local.home}:${local.account}:event-bus/${var.name}"
    default_bus    = "arn:${local.partition}:events:${local.home}:${local.account}:event-bus/default"
    function       = "arn:${local.partition}:lambda:${local.home}:${local.account}:function:${var.name}"
    log_group      = "arn:${local.partition}:logs:${local.home}:${local.account}:log-group:${local.log_group}"
    role           = "arn:${local.partition}:iam::${local.account}:role/${var.name}-function"
    on_failure     = "arn:${local.partition}:sqs:${local.home}:${local.account}:${var.name}-on-failure"
    sweep_failures = "arn:${local.partition}:sqs:${local.home}:${local.account}:${var.name}-sweep-failures"
    table          = "arn:${local.partition}:dynamodb:${local.home}:${local.account}:table/${var.name}"
    topic          = "arn:${local.partition}:sns:${local.home}:${local.account}:${var.name}-${terraform_data.topic.output}"
  }
  log_group = "/aws/lambda/${var.name}"
}
