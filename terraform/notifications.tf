# Who is told, and of what: the function's results as sentences. The function itself knows nothing of this.

resource "aws_sns_topic" "this" {
  name              = var.name
  kms_master_key_id = var.kms_key_arn # with AWS's own key, neither alarms nor rules could publish
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.arn.topic
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        # EventBridge cannot publish where a topic's policy has a condition.
        Sid       = "Rules"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.arn.topic
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "this" {
  for_each  = { for subscription in var.subscriptions : "${subscription.protocol} ${subscription.endpoint}" => subscription }
  topic_arn = aws_sns_topic.this.arn
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}

locals {
  report        = "$.detail.responsePayload"
  this_function = [local.arn.function, "${local.arn.function}:$LATEST"]

  results = {
    done = {
      description = "Tells of what ${var.name} enforced, stopped, terminated, spared or failed to do"
      pattern = {
        source      = ["lambda"]
        detail-type = ["Lambda Function Invocation Result - Success"]
        detail = {
          requestContext = { functionArn = local.this_function }
          responsePayload = { summary = { "$or" = [
            for outcome in ["enforced", "stopped", "terminated", "spared", "failed"] : { (outcome) = [{ numeric = [">", 0] }] }
          ] } }
        }
      }
      paths = merge(
        {
          trigger   = "${local.report}.trigger"
          region    = "${local.report}.region"
          instances = "${local.report}.instances[*].instance_id"
          outcomes  = "${local.report}.instances[*].outcome"
          request   = "$.detail.requestContext.requestId"
        },
        { for outcome in ["enforced", "stopped", "terminated", "spared", "failed"] : outcome => "${local.report}.summary.${outcome}" },
      )
      # One line: EventBridge has no other form that SNS shows as it was meant.
      text = join(" ", [
        "${var.name} in account ${local.account}, after a <trigger> in region <region>:",
        "<enforced> enforced, <stopped> stopped, <terminated> terminated, <spared> spared, <failed> failed.",
        "Instances: <instances>. Their outcomes, in this order: <outcomes>.",
        "Reasons, and the options before and after, are in log group ${local.log_group} (${local.home}) under request <request>.",
      ])
    }
    failed = {
      description = "Tells of what ${var.name} gave up on"
      pattern = {
        source      = ["lambda"]
        detail-type = ["Lambda Function Invocation Result - Failure"]
        detail      = { requestContext = { functionArn = local.this_function } }
      }
      paths = {
        condition = "$.detail.requestContext.condition"
        attempts  = "$.detail.requestContext.approximateInvokeCount"
        request   = "$.detail.requestContext.requestId"
        error     = "${local.report}.errorType"
        message   = "${local.report}.errorMessage"
      }
      text = join(" ", [
        "${var.name} in account ${local.account} gave up on an event (<condition>, <attempts> attempts): <error>: <message>.",
        "What is named here may still answer IMDSv1.",
        "The event waits in the queue ${var.name}-on-failure (${local.home}): mend the cause, then hand it to the function again.",
        "Logs: group ${local.log_group}, request <request>.",
      ])
    }
  }
}

resource "aws_cloudwatch_event_rule" "results" {
  for_each       = local.results
  name           = "${var.name}-${each.key}"
  description    = each.value.description
  event_bus_name = aws_cloudwatch_event_bus.home.name
  event_pattern  = jsonencode(each.value.pattern)
  tags           = var.tags
}

resource "aws_cloudwatch_event_target" "results" {
  for_each       = local.results
  rule           = aws_cloudwatch_event_rule.results[each.key].name
  event_bus_name = aws_cloudwatch_event_bus.home.name
  target_id      = "topic"
  arn            = aws_sns_topic.this.arn

  input_transformer {
    input_paths    = each.value.paths
    input_template = "\"${each.value.text}\""
  }
  retry_policy {
    maximum_event_age_in_seconds = local.retry.age
    maximum_retry_attempts       = local.retry.attempts
  }
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters[local.home].arn
  }
}
