# Notifications: EventBridge turns the results of the function into messages on an SNS topic.

# EventBridge supports no conditions in topic policies: every rule of every account that knows the ARN of the topic can publish
# to it. The ARN therefore cannot be guessed.
resource "terraform_data" "topic" {
  input = uuid()

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_sns_topic" "this" {
  name              = "${var.name}-${terraform_data.topic.output}"
  display_name      = var.name
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
        # With a condition, AWS drops the messages of rules.
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

  success = {
    source      = ["lambda"]
    detail-type = ["Lambda Function Invocation Result - Success"]
  }
  done_any = { "$or" = [for outcome in ["enforced", "stopped", "terminated"] : { (outcome) = [{ numeric = [">", 0] }] }] }
  counts = merge(
    { for outcome in ["reported", "enforced", "stopped", "terminated", "failed"] : outcome => "${local.report}.summary.${outcome}" },
    {
      account = "${local.report}.account"
      request = "$.detail.requestContext.requestId"
    },
  )
  sweep_counts = merge(local.counts, {
    left        = "${local.report}.left"
    unreachable = "${local.report}.unreachable[*].region"
  })
  where = "request <request> in log group ${local.log_group} (account ${local.account}, ${local.home})"

  results = merge(
    {
      done = {
        description = "Publishes the actions of ${var.name} after events"
        pattern = merge(local.success, {
          detail = {
            requestContext = { functionArn = local.this_function }
            responsePayload = {
              trigger = [{ anything-but = ["sweep"] }]
              summary = { "$or" = concat(local.done_any["$or"], [{ failed = [{ numeric = [">", 0] }] }]) }
            }
          }
        })
        paths = merge(local.counts, {
          trigger    = "${local.report}.trigger"
          region     = "${local.report}.region"
          instances  = "${local.report}.instances[*].instance_id"
          outcomes   = "${local.report}.instances[*].outcome"
          rules      = "${local.report}.instances[*].rule"
          violations = "${local.report}.instances[*].violations"
          templates  = "${local.report}.instances[*].launch_template.id"
          versions   = "${local.report}.instances[*].launch_template.version"
        })
        # One line, because SNS does not display multi-line templates as intended.
        text = join(" ", [
          "${var.name} processed an event (<trigger>) in account <account>, Region <region>:",
          "<enforced> enforced, <stopped> stopped, <terminated> terminated, <failed> failed.",
          "Instances: <instances>. In the same order: outcomes <outcomes>; rules <rules>; violations <violations>.",
          "Launch templates, of instances that have one: <templates>, versions <versions>.",
          "For reasons and metadata options before and after, see ${local.where}.",
        ])
      }
      sweep = {
        description = "Publishes in numbers what sweeps of ${var.name} did"
        pattern = merge(local.success, {
          detail = {
            requestContext  = { functionArn = local.this_function }
            responsePayload = { trigger = ["sweep"], summary = local.done_any }
          }
        })
        paths = local.sweep_counts
        text = join(" ", [
          "A sweep of ${var.name} in account <account>:",
          "<enforced> enforced, <stopped> stopped, <terminated> terminated, <reported> reported, <failed> failed.",
          "Left for the next sweep: <left>. Regions that could not be scanned: <unreachable>.",
          "For the instances, see ${local.where}.",
        ])
      }
      paused = {
        description = "Publishes once a day that ${var.name} is paused"
        pattern = merge(local.success, {
          detail = {
            requestContext  = { functionArn = local.this_function }
            responsePayload = { trigger = ["sweep"], first_of_day = [true], paused = { until = [{ exists = true }] } }
          }
        })
        paths = merge(local.sweep_counts, {
          until = "${local.report}.paused.until"
          by    = "${local.report}.paused.by"
          why   = "${local.report}.paused.reason"
        })
        text = join(" ", [
          "${var.name} is paused in account <account>, or in a Region of it, until <until>, by <by>: <why>.",
          "The first sweep of the day: <enforced> enforced, <reported> reported, <failed> failed.",
          "For the instances, see ${local.where}.",
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
          type      = "$.detail.requestPayload.detail-type"
          account   = "$.detail.requestPayload.account"
          region    = "$.detail.requestPayload.region"
          error     = "${local.report}.errorType"
          message   = "${local.report}.errorMessage"
        }
        text = join(" ", [
          "${var.name} failed to process an event (<type>) of account <account>, Region <region>",
          "(<condition>, <attempts> attempts): <error>: <message>.",
          "The affected instances might still accept IMDSv1.",
          "The event is in the queue ${var.name}-on-failure, or of a sweep in ${var.name}-sweep-failures (${local.home}).",
          "Resolve the cause, and then invoke the function with the event. For details, see ${local.where}.",
        ])
      }
    },
    {
      for name, rule in {
        digest = {
          description = "Publishes once a day what the first sweep of ${var.name} found"
          pattern = merge(local.success, {
            detail = {
              requestContext  = { functionArn = local.this_function }
              responsePayload = { trigger = ["sweep"], first_of_day = [true] }
            }
          })
          paths = merge(local.sweep_counts, { for outcome in ["compliant", "exempt"] : outcome => "${local.report}.summary.${outcome}" })
          text = join(" ", [
            "The first sweep of the day of ${var.name} in account <account>:",
            "<reported> non-compliant and only reported, <exempt> exempt, <compliant> compliant,",
            "<enforced> enforced, <stopped> stopped, <terminated> terminated, <failed> failed.",
            "Left for the next sweep: <left>. Regions that could not be scanned: <unreachable>.",
            "For the instances, see ${local.where}.",
          ])
        }
      } : name => rule if var.notify_reported
    },
  )
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
    input_paths    = { for name, path in each.value.paths : name => path if strcontains(each.value.text, "<${name}>") }
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
