# Alarms, each with what to do. Those of the home region go to the topic; a dead-letter alarm can only act in its own
# region, so that its change of state goes home as an event.

locals {
  on_function = { FunctionName = var.name }

  alarms = merge(
    {
      errors = {
        namespace = "AWS/Lambda", metric = "Errors", dimensions = local.on_function, statistic = "Sum"
        period    = 900, periods = 1, comparison = "GreaterThanOrEqualToThreshold", threshold = 3, missing = "notBreaching"
        # One event is tried three times within about four minutes.
        description = "The function failed three times within 15 minutes: an event was tried in vain, or it cannot start. Read the errors in log group ${local.log_group}; they name instances and causes. Until it is mended, launches stay as they are."
      }
      throttles = {
        namespace   = "AWS/Lambda", metric = "Throttles", dimensions = local.on_function, statistic = "Sum"
        period      = 300, periods = 3, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "Lambda has held events back for 15 minutes. If reserved_concurrency is 0, the guard is switched off. Otherwise raise it, or the account's quota of concurrent executions."
      }
      late = {
        namespace   = "AWS/Lambda", metric = "AsyncEventAge", dimensions = local.on_function, statistic = "Maximum"
        period      = 300, periods = 2, comparison = "GreaterThanThreshold", threshold = 300000, missing = "notBreaching"
        description = "Events wait more than 5 minutes for the function, and instances stay open as long. Look for throttles and errors; after 6 hours events are given up."
      }
      results-lost = {
        namespace   = "AWS/Lambda", metric = "DestinationDeliveryFailures", dimensions = local.on_function, statistic = "Sum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "Lambda could not put a result on the bus ${var.name}, so that nobody was told of it. What was done is in log group ${local.log_group}. Check that the bus is there and that role ${var.name}-function may put events on it; a very large report is refused too."
      }
      failures-lost = {
        namespace   = "AWS/Lambda", metric = "DeadLetterErrors", dimensions = local.on_function, statistic = "Sum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "Lambda could not put a failed event into the queue ${var.name}-on-failure: the event is lost, and only a sweep finds its instances. Check that the queue is there and that role ${var.name}-function may send to it."
      }
      on-failure = {
        namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "${var.name}-on-failure" }, statistic = "Maximum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "The function gave up on an event, which waits in the queue ${var.name}-on-failure for 14 days. Its attributes ErrorCode and ErrorMessage say why. Mend the cause, hand the message's body to the function (terraform output invoke_command), then delete the message."
      }
      sweep = {
        namespace   = "ImdsEnforcer", metric = "Swept", dimensions = {}, statistic = "Sum"
        period      = local.interval, periods = 2, comparison = "LessThanThreshold", threshold = length(local.regions), missing = "breaching"
        description = "Two sweeps in a row did not see ${length(local.regions) == 1 ? "the region" : "all ${length(local.regions)} regions"} to the end. Read `unseen` in the latest sweep's report in log group ${local.log_group}; if there is none, look at schedule ${var.name}-sweep and at the queue ${var.name}-dead-letters."
      }
      breaking = {
        namespace   = "ImdsEnforcer", metric = "Breaking", dimensions = {}, statistic = "Maximum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "Software on an enforced instance still asks for IMDSv1 and is refused: it may be failing now. Find the instances in the reports in log group ${local.log_group}. Mend the software, or exempt the instance and set its options back from the report's `before`."
      }
      drifting = {
        namespace   = "ImdsEnforcer", metric = "Drifting", dimensions = {}, statistic = "Maximum"
        period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
        description = "Somebody sets the options of an instance back as often as they are mended, and the function has stopped mending it. CloudTrail names who calls ModifyInstanceMetadataOptions. Mend that automation, or exempt the instance."
      }
    },
    {
      for name, alarm in {
        spared = {
          namespace   = "ImdsEnforcer", metric = "Spared", dimensions = {}, statistic = "Sum"
          period      = 300, periods = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
          description = "More wrong instances than policy.limits.terminations_per_hour (${var.policy.limits.terminations_per_hour}) came within an hour, or their number could not be read: the rest was mended instead of terminated. Find out what launches so many; the reports in log group ${local.log_group} name launch templates."
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
  alarm_description   = "Something could not be delivered and waits in the queue ${var.name}-dead-letters of this region for 14 days. The attributes ERROR_CODE, ERROR_MESSAGE and RULE_ARN of a message say what and why. Mend the cause, hand the message's body to the function (terraform output invoke_command), then delete the message. Until then only the sweep finds what it told of."
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

# To the default bus at home, by a role of its own: when the home bus or its role is what is broken, this still gets through.
resource "aws_cloudwatch_event_rule" "alarms" {
  for_each      = local.with_queue
  region        = each.key
  name          = "${var.name}-alarms"
  description   = each.key == local.home ? "Tells of dead letters in any region" : "Alarms of dead letters, for ${local.home}"
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
    input_template = "\"Alarm <alarm> in account ${local.account}, region <region>: <description> (<reason>)\""
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
  description          = "Sends alarms of dead letters to ${local.home}"
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
