# In every monitored Region: rules that send events to the home bus, and a queue for events that were not delivered.

locals {
  # The maximum that EventBridge allows.
  retry = { age = 24 * 60 * 60, attempts = 185 }

  # The maximum that SQS allows, in seconds.
  queue_retention = 14 * 24 * 60 * 60

  # The keys are part of resource addresses.
  watch_rules = merge(
    {
      launches = {
        name        = "${var.name}-api-calls"
        description = "Sends launches, starts, and metadata option changes to ${var.name} in ${local.home}"
        pattern = {
          source      = ["aws.ec2"]
          detail-type = ["AWS API Call via CloudTrail"]
          detail = {
            eventSource = ["ec2.amazonaws.com"]
            eventName   = ["RunInstances", "StartInstances", "ModifyInstanceMetadataOptions"]
            # Failed calls and dry runs have an error code.
            errorCode = [{ exists = false }]
            # Excludes the changes that the function makes. Calls that no role makes have no session issuer, and
            # `anything-but` alone does not match them.
            userIdentity = { sessionContext = { sessionIssuer = { arn = [{ exists = false }, { anything-but = [local.arn.role] }] } } }
          }
        }
      }
    },
    {
      for key, rule in {
        states = {
          name        = "${var.name}-states"
          description = "Sends instance state changes to ${var.name} in ${local.home}"
          # `pending` arrives first. `running` is a backup because delivery is best effort.
          pattern = {
            source      = ["aws.ec2"]
            detail-type = ["EC2 Instance State-change Notification"]
            detail      = { state = ["pending", "running"] }
          }
        }
      } : key => rule if var.watch_state_changes
    },
  )

  watch = merge([
    for key, rule in local.watch_rules : { for region in local.watched : "${region}/${key}" => merge(rule, { region = region }) }
  ]...)

  # The home Region always has a queue, for its own rules and the schedule.
  with_queue = setunion(local.watched, [local.home])

  rules_with_queue = {
    for region in local.with_queue : region => sort(concat(
      contains(local.watched, region) ? [for rule in local.watch_rules : "rule/${rule.name}"] : [],
      region == local.home
      ? concat([for name in concat(["function"], keys(local.results), keys(local.failures)) : "rule/${var.name}/${var.name}-${name}"], ["rule/${var.name}-alarms"])
      : ["rule/${var.name}-alarms"],
    ))
  }
}

resource "aws_cloudwatch_event_rule" "watch" {
  for_each      = local.watch
  region        = each.value.region
  name          = each.value.name
  description   = each.value.description
  event_pattern = jsonencode(each.value.pattern)
  tags          = var.tags

  # No event is missed while a rule and its target are replaced.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_event_target" "watch" {
  for_each  = local.watch
  region    = each.value.region
  rule      = aws_cloudwatch_event_rule.watch[each.key].name
  target_id = "home-bus"
  arn       = aws_cloudwatch_event_bus.home.arn
  role_arn  = aws_iam_role.forward.arn

  retry_policy {
    maximum_event_age_in_seconds = local.retry.age
    maximum_retry_attempts       = local.retry.attempts
  }
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters[each.value.region].arn
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role" "forward" {
  name                 = "${var.name}-forward"
  description          = "Sends events from all Regions to the bus ${var.name} in ${local.home}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "events.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "forward" {
  name = "home-bus"
  role = aws_iam_role.forward.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "events:PutEvents", Resource = local.arn.bus }]
  })
}

resource "aws_sqs_queue" "dead_letters" {
  for_each                  = local.with_queue
  region                    = each.key
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = local.queue_retention
  max_message_size          = var.max_message_size
  # A KMS key can be used only in its own Region.
  sqs_managed_sse_enabled = each.key == local.home && var.kms_key_arn != null ? null : true
  kms_master_key_id       = each.key == local.home ? var.kms_key_arn : null
  tags                    = var.tags
}

resource "aws_sqs_queue_policy" "dead_letters" {
  for_each  = local.with_queue
  region    = each.key
  queue_url = aws_sqs_queue.dead_letters[each.key].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RulesInThisRegion"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:${local.partition}:sqs:${each.key}:${local.account}:${var.name}-dead-letters"
      Condition = { ArnEquals = { "aws:SourceArn" = [
        for rule in local.rules_with_queue[each.key] : "arn:${local.partition}:events:${each.key}:${local.account}:${rule}"
      ] } }
    }]
  })
}
