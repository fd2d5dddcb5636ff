# Notifications: EventBridge turns the results of the function into messages on an SNS topic.

resource "aws_sns_topic" "this" {
  name              = var.name
  kms_master_key_id = var.kms_key_arn # alarms and rules cannot publish to a topic that uses the AWS managed key
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
        # EventBridge does not support conditions in topic policies.
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
      description = "Publishes the actions and failures of ${var.name}"
      pattern = {
        source      = ["lambda"]
        detail-type = ["Lambda Function Invocation Result - Success"]
        detail = {
          requestContext = { functionArn = local.this_function }
          responsePayload = { summary = { "$or" = [
            for outcome in ["enforced", "stopped", "terminated", "failed"] : { (outcome) = [{ numeric = [">", 0] }] }
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
        { for outcome in ["enforced", "stopped", "terminated", "failed"] : outcome => "${local.report}.summary.${outcome}" },
      )
      # One line, because SNS does not display multi-line templates as intended.
      text = join(" ", [
        "${var.name} in account ${local.account} processed an event (<trigger>) in Region <region>:",
        "<enforced> enforced, <stopped> stopped, <terminated> terminated, <failed> failed.",
        "Instances: <instances>. Outcomes, in the same order: <outcomes>.",
        "For reasons and metadata options before and after, see request <request> in log group ${local.log_group} (${local.home}).",
      ])
    }
    failed = {
      description = "Publishes the events that ${var.name} failed to process"
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
        "${var.name} in account ${local.account} failed to process an event (<condition>, <attempts> attempts): <error>: <message>.",
        "The affected instances might still accept IMDSv1.",
        "The event is in the queue ${var.name}-on-failure (${local.home}). Resolve the cause, and then invoke the function with the event.",
        "For details, see request <request> in log group ${local.log_group}.",
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
