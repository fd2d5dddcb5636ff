# CloudWatch alarms. Alarms in the home Region notify the topic directly. An alarm can notify only in its own Region, so
# state changes of dead-letter alarms are sent to the home Region as events.

locals {
  function_dimensions = { FunctionName = var.name }

  alarms = merge(
    {
      errors = {
        namespace = "AWS/Lambda", metric = "Errors", dimensions = local.function_dimensions, statistic = "Sum"
        period    = 900, periods = 1, comparison = "GreaterThanOrEqualToThreshold", threshold = 3, missing = "notBreaching"
        # Lambda makes three attempts to process an event, within about four minutes.
        description = "The function failed three times within 15 minutes: it cannot start, or all attempts to process an event failed. The affected instances might still accept IMDSv1. For instance IDs and causes, see the errors in log group ${local.log_group}."
      }
      throttles = {
        namespace   = "AWS/Lambda", metric = "Throttles", dimensions = local.function_dimensions, statistic = "Sum"
        period      = 300, periods = 3, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "Lambda has throttled the function for 15 minutes. If reserved_concurrency is 0, the function is turned off. Otherwise, increase reserved_concurrency or the concurrency quota of the account."
      }
      event-age = {
        namespace   = "AWS/Lambda", metric = "AsyncEventAge", dimensions = local.function_dimensions, statistic = "Maximum"
        period      = 300, periods = 2, comparison = "GreaterThanThreshold", threshold = 300000, missing = "notBreaching"
        description = "Events wait more than 5 minutes for the function. Until it processes them, new instances might accept IMDSv1. Check for throttles and errors. Lambda discards events after 6 hours."
      }
      destination-failures = {
        namespace   = "AWS/Lambda", metric = "DestinationDeliveryFailures", dimensions = local.function_dimensions, statistic = "Sum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "Lambda could not send a result to the bus ${var.name}, so no notification was published. The result is in log group ${local.log_group}. Check that the bus exists and that the role ${var.name}-function can put events on it. Very large reports cannot be sent."
      }
      dead-letter-errors = {
        namespace   = "AWS/Lambda", metric = "DeadLetterErrors", dimensions = local.function_dimensions, statistic = "Sum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "Lambda could not send a failed event to the queue ${var.name}-on-failure. The event is lost, and only a sweep will find its instances. Check that the queue exists and that the role ${var.name}-function can send messages to it."
      }
      on-failure-queue = {
        namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "${var.name}-on-failure" }, statistic = "Maximum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "The function failed to process an event. The queue ${var.name}-on-failure keeps it for 14 days; the message attributes ErrorCode and ErrorMessage describe the error. Resolve the cause, invoke the function with the message body (terraform output invoke_command), and then delete the message."
      }
      regions-not-scanned = {
        namespace   = "ImdsEnforcer", metric = "RegionsScanned", dimensions = {}, statistic = "Sum"
        period      = local.interval, periods = 2, comparison = "LessThanThreshold", threshold = length(local.regions), missing = "breaching"
        description = "Two consecutive sweeps did not scan ${length(local.regions) == 1 ? "the Region" : "all ${length(local.regions)} Regions"} completely. See `unreachable` in the report of the latest sweep in log group ${local.log_group}. If there is no report, check the schedule ${var.name}-sweep and the queue ${var.name}-dead-letters."
      }
      rejected-calls = {
        namespace   = "ImdsEnforcer", metric = "RejectedCalls", dimensions = {}, statistic = "Maximum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "Software on an enforced instance still calls IMDSv1, and its calls are rejected, so it might be failing. For the instances, see the reports in log group ${local.log_group}. Update the software, or exempt the instance and restore the metadata options in `before` of its report."
      }
      drift-limit-reached = {
        namespace   = "ImdsEnforcer", metric = "DriftLimitReached", dimensions = {}, statistic = "Maximum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "The metadata options of an instance were changed back so often that the function no longer enforces them (policy.limits.enforcements_per_hour). To find the caller, search CloudTrail for ModifyInstanceMetadataOptions. Change that automation, or exempt the instance."
      }
    },
    {
      for name, alarm in {
        disruption-limit-reached = {
          namespace   = "ImdsEnforcer", metric = "DisruptionLimitReached", dimensions = {}, statistic = "Sum"
          period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
          description = "Instances were enforced instead of terminated, because policy.limits.disruptions_per_hour (${local.policy_values.limits.disruptions_per_hour}) was reached or the terminations of the last hour could not be counted. Find out what launches so many non-compliant instances: the reports in log group ${local.log_group} name the launch templates."
        }
      } : name => alarm if local.can.terminate
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "home" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each            = local.with_queue
  region              = each.key
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "An event was not delivered. The queue ${var.name}-dead-letters in this Region keeps it for 14 days; the message attributes RULE_ARN, ERROR_CODE, and ERROR_MESSAGE describe the error. Resolve the cause, invoke the function with the message body (terraform output invoke_command), and then delete the message. Until then, only a sweep will find the instances of the event."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = "${var.name}-dead-letters" }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  tags                = var.tags
}

locals {
  dead_letter_alarm = {
    source      = ["aws.cloudwatch"]
    account     = [local.account]
    detail-type = ["CloudWatch Alarm State Change"]
    detail      = { alarmName = ["${var.name}-dead-letters"], state = { value = ["ALARM"] } }
  }
}

# These events use the default bus and a separate role, so that they arrive even if the home bus or its role is broken.
resource "aws_cloudwatch_event_rule" "alarms" {
  for_each      = local.with_queue
  region        = each.key
  name          = "${var.name}-alarms"
  description   = each.key == local.home ? "Publishes dead-letter alarms from all Regions" : "Sends dead-letter alarms to ${local.home}"
  event_pattern = jsonencode(local.dead_letter_alarm)
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "alarms_to_home" {
  for_each  = setsubtract(local.with_queue, [local.home])
  region    = each.key
  rule      = aws_cloudwatch_event_rule.alarms[each.key].name
  target_id = "home"
  arn       = local.arn.default_bus
  role_arn  = aws_iam_role.alarms.arn

  retry_policy {
    maximum_event_age_in_seconds = local.retry.age
    maximum_retry_attempts       = local.retry.attempts
  }
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters[each.key].arn
  }
}

resource "aws_cloudwatch_event_target" "alarms_to_topic" {
  rule      = aws_cloudwatch_event_rule.alarms[local.home].name
  target_id = "topic"
  arn       = aws_sns_topic.this.arn

  input_transformer {
    input_paths = {
      alarm       = "$.detail.alarmName"
      region      = "$.region"
      reason      = "$.detail.state.reason"
      description = "$.detail.configuration.description"
    }
    input_template = "\"Alarm <alarm> in account ${local.account}, Region <region>: <description> (<reason>)\""
  }
  retry_policy {
    maximum_event_age_in_seconds = local.retry.age
    maximum_retry_attempts       = local.retry.attempts
  }
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters[local.home].arn
  }
}

resource "aws_iam_role" "alarms" {
  name                 = "${var.name}-alarms"
  description          = "Sends dead-letter alarms to ${local.home}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
  assume_role_policy   = aws_iam_role.forward.assume_role_policy
}

resource "aws_iam_role_policy" "alarms" {
  name = "home"
  role = aws_iam_role.alarms.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "events:PutEvents", Resource = local.arn.default_bus }]
  })
}
