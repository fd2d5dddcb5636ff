# CloudWatch alarms. Alarms of the function and its sweeps notify the topic directly. An alarm can notify only in its own
# Region, so state changes of the alarms that every Region has are sent to the home Region as events.

locals {
  namespace           = "ImdsEnforcer/${var.name}"
  function_dimensions = { FunctionName = var.name }
  operations          = "docs/operations.md"

  # How alarms count. `breaching` of the last `periods` periods raise an alarm.
  counting = {
    # Something was lost. The alarm is over after 25 minutes, so that the next loss raises it again. SQS and EventBridge can
    # deliver their metrics up to 15 minutes late; a single period of 5 minutes would miss them.
    loss = { statistic = "Sum", period = 300, periods = 5, breaching = 1, comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching", ok = false }
    # Something occurred that often occurs again within the hour, for example in each hourly sweep: one notification.
    episode = { statistic = "Sum", period = 300, periods = 15, breaching = 1, comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching", ok = false }
    # Something that a sweep finds once.
    found = { statistic = "Maximum", period = local.interval, periods = 1, breaching = 1, comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching", ok = false }
    # Something that each sweep finds again until it is resolved. Sweeps differ in duration, so that a period can be without one.
    found_again = { statistic = "Maximum", period = local.interval, periods = 2, breaching = 1, comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching", ok = true }
    # Sweeps that are incomplete, or that do not run.
    every_sweep = { statistic = "Maximum", period = local.interval, periods = 3, breaching = 3, comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "breaching", ok = true }
    paused = {
      statistic  = "Maximum", period = local.interval, periods = local.paused.periods, breaching = local.paused.sweeps
      comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching", ok = true
    }
  }

  # More sweeps than a pause of 23 hours can contain. All periods together are limited to a day if they are shorter than an
  # hour, and the alarm is evaluated every minute only up to a day: somewhere in the hour, each period has its sweep.
  paused_sweeps = ceil(23 * 60 * 60 / local.interval) + 1
  paused = {
    periods = local.interval <= 3600 ? floor(86400 / local.interval) : local.paused_sweeps
    sweeps  = local.interval <= 3600 ? min(local.paused_sweeps, floor(86400 / local.interval)) : local.paused_sweeps
  }

  function_alarms = {
    errors = merge(local.counting.loss, {
      # An attempt can fail and the next one succeed. An event that fails in all attempts raises launches-lost.
      periods     = 6, breaching = 3, ok = true, metric = "Errors"
      description = "The function keeps failing: in three of the last six periods of 5 minutes. New instances might still accept IMDSv1. Read the latest errors in log group ${local.log_group}; if all invocations fail, undo the last change of the policy or the module."
    })
    throttles = merge(local.counting.loss, {
      periods     = 3, breaching = 3, ok = true, metric = "Throttles"
      description = "Lambda has throttled the function for 15 minutes, so that new instances are enforced late. Check whether somebody set its reserved concurrency to 0. If not, increase reserved_concurrency or the concurrency quota of the account."
    })
    event-age = merge(local.counting.loss, {
      statistic   = "Maximum", periods = 2, breaching = 2, comparison = "GreaterThanThreshold", threshold = 300000, ok = true, metric = "AsyncEventAge"
      description = "Events wait more than 5 minutes for the function, and until it processes them, new instances might accept IMDSv1. Lambda discards events after 6 hours. Check the alarms throttles and errors first."
    })
    destination-failures = merge(local.counting.loss, {
      metric      = "DestinationDeliveryFailures"
      description = "Lambda could not send a result to the bus ${var.name}: a notification is missing, or an event that the function failed to process is lost and in no queue. Find the result in log group ${local.log_group}, and check that the bus exists and that the role ${var.name}-function can put events on it."
    })
  }

  queue_alarms = {
    launches-lost = {
      queue       = "${var.name}-on-failure"
      description = "The function failed to process an event in all attempts, so that a new instance might still accept IMDSv1. The event is in the queue ${var.name}-on-failure. Resolve the cause, and then redrive the event."
    }
    sweep-failures = {
      queue       = "${var.name}-sweep-failures"
      description = "A sweep could not be started, or failed in all attempts: it crashed or timed out. Launches are still enforced by their events, and the next sweep scans everything again. Read the last lines of the sweep in log group ${local.log_group}, or the error in the message in the queue ${var.name}-sweep-failures."
    }
  }

  guard_alarms = merge(
    {
      sweep-incomplete = merge(local.counting.every_sweep, {
        metric      = "SweepIncomplete"
        description = "In the last three intervals of ${var.sweep_schedule}, every sweep left a Region unobserved or a needed action undone, or no sweep ran. Instances that no event told might accept IMDSv1. Read `unreachable` and the failed instances of the latest sweep in log group ${local.log_group}; if there is none, check the schedule ${var.name}-sweep."
      })
      rejected-calls = merge(local.counting.found_again, {
        metric      = "RejectedCalls"
        description = "Software on an enforced instance still calls IMDSv1 and its calls are rejected, so it might be failing. Find the instances in log group ${local.log_group}. If a service is down, exempt the instance and roll it back."
      })
      drift-limit-reached = merge(local.counting.episode, {
        metric      = "DriftLimitReached"
        description = "Somebody or something changes the metadata options of an instance back again and again, and the function no longer enforces them (policy.limits.enforcements_per_hour). The instance accepts IMDSv1. Find the caller of ModifyInstanceMetadataOptions in CloudTrail, and stop it or exempt the instance."
      })
      missed-launches = merge(local.counting.found, {
        metric      = "MissedLaunches"
        description = "A sweep enforced instances that were launched since yesterday and that no event told. They accepted IMDSv1 until the sweep. Check in their Region that a trail logs management events and that the rule ${var.name}-api-calls is enabled."
      })
      missed-launches-in-use = merge(local.counting.found_again, {
        metric      = "MissedLaunchesInUse"
        description = "Sweeps find instances that were launched since yesterday, that no event told, and that use IMDSv1. They are only reported, and still accept IMDSv1. Find them in log group ${local.log_group}, and enforce them by hand as soon as their software can use IMDSv2."
      })
      state-unavailable = merge(local.counting.episode, {
        metric      = "StateUnavailable"
        description = "The function could not read or write its DynamoDB table. It terminates and stops nothing, still enforces new launches, and leaves other instances unchanged until the table is back. Check the health of DynamoDB in ${local.home}, the table, and the role ${var.name}-function."
      })
      paused = merge(local.counting.paused, {
        metric      = "Paused"
        description = "Enforcement has been paused for about 24 hours, and the function only reports. Read the item pause#${local.account} (or pause#${local.account}#REGION) in the state table for who paused it, why, and until when. Delete the item if the reason no longer holds."
      })
    },
    {
      for name, alarm in {
        disruption-limit-reached = merge(local.counting.episode, {
          metric      = "DisruptionLimitReached"
          description = "Instances were enforced instead of stopped or terminated, because policy.limits.disruptions_per_hour (${local.policy_values.limits.disruptions_per_hour}) was reached. Something launches many non-compliant instances. The reports in log group ${local.log_group} name the launch templates: correct or stop what launches from them."
        })
      } : name => alarm if local.can.stop || local.can.terminate
    },
  )

  # Rules with a dead-letter queue. EventBridge's metrics have both dimensions only on custom buses.
  rules_to_watch = merge([
    for region, rules in local.rules_with_queue : {
      for rule in rules : "${region}/${trimprefix(reverse(split("/", rule))[0], "${var.name}-")}" => {
        region     = region
        name       = reverse(split("/", rule))[0]
        suffix     = trimprefix(reverse(split("/", rule))[0], "${var.name}-")
        is_on_home = length(split("/", rule)) == 3
        dimensions = merge(
          { RuleName = reverse(split("/", rule))[0] },
          length(split("/", rule)) == 3 ? { EventBusName = var.name } : {},
        )
      }
    }
  ]...)

  # Rules of the home Region that publish messages or keep lost events.
  telling = { for key, rule in local.rules_to_watch : key => rule if(
    rule.region == local.home && (rule.is_on_home || rule.name == "${var.name}-alarms") && rule.name != "${var.name}-function"
  ) }

  alarms = merge(
    { for name, alarm in local.function_alarms : name => merge(alarm, { namespace = "AWS/Lambda", dimensions = local.function_dimensions, section = name }) },
    { for name, alarm in local.queue_alarms : name => merge(local.counting.loss, alarm, { namespace = "AWS/SQS", metric = "NumberOfMessagesSent", dimensions = { QueueName = alarm.queue }, section = name }) },
    { for name, alarm in local.guard_alarms : name => merge(alarm, { namespace = local.namespace, dimensions = {}, section = name }) },
    {
      for key, rule in local.telling : "failed-invocations-${rule.suffix}" => merge(local.counting.loss, {
        namespace   = "AWS/Events", metric = "FailedInvocations", dimensions = rule.dimensions, section = "failed-invocations"
        description = "The rule ${rule.name} could not deliver to its target, so that a notification is missing or a lost event is not in its queue. Look for the event in the queue ${var.name}-dead-letters. Check that the target exists and that its policy allows events.amazonaws.com without conditions."
      })
    },
  )

  # Alarms of every Region.
  dead_letters = merge(local.counting.loss, {
    description = "An event could not be delivered, so that only a sweep will find its instances. It is in the queue ${var.name}-dead-letters in this Region; the message attributes RULE_ARN and ERROR_MESSAGE tell why. Resolve the cause, and then redrive the event."
  })
  undelivered = merge(local.counting.loss, {
    description = "An event was neither delivered nor kept in the queue ${var.name}-dead-letters of this Region, and is lost. Start a sweep, which finds its instances. Then check that the queue exists and that its policy names the rule."
  })
}

resource "aws_cloudwatch_metric_alarm" "home" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description} See ${local.operations}#${each.value.section}."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.breaching
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = each.value.ok ? [aws_sns_topic.this.arn] : []
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each            = local.with_queue
  region              = each.key
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "${local.dead_letters.description} See ${local.operations}#dead-letters."
  namespace           = "AWS/SQS"
  metric_name         = "NumberOfMessagesSent"
  dimensions          = { QueueName = "${var.name}-dead-letters" }
  statistic           = local.dead_letters.statistic
  period              = local.dead_letters.period
  evaluation_periods  = local.dead_letters.periods
  datapoints_to_alarm = local.dead_letters.breaching
  comparison_operator = local.dead_letters.comparison
  threshold           = local.dead_letters.threshold
  treat_missing_data  = local.dead_letters.missing
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  for_each            = local.rules_to_watch
  region              = each.value.region
  alarm_name          = "${var.name}-undelivered-${each.value.suffix}"
  alarm_description   = "${local.undelivered.description} See ${local.operations}#undelivered."
  namespace           = "AWS/Events"
  metric_name         = "InvocationsFailedToBeSentToDlq"
  dimensions          = each.value.dimensions
  statistic           = local.undelivered.statistic
  period              = local.undelivered.period
  evaluation_periods  = local.undelivered.periods
  datapoints_to_alarm = local.undelivered.breaching
  comparison_operator = local.undelivered.comparison
  threshold           = local.undelivered.threshold
  treat_missing_data  = local.undelivered.missing
  tags                = var.tags
}

locals {
  regional_alarms = concat(
    ["${var.name}-dead-letters"],
    sort(distinct([for rule in local.rules_to_watch : "${var.name}-undelivered-${rule.suffix}"])),
  )
  regional_alarm = {
    source      = ["aws.cloudwatch"]
    account     = [local.account]
    detail-type = ["CloudWatch Alarm State Change"]
    detail      = { alarmName = local.regional_alarms, state = { value = ["ALARM"] } }
  }
}

# These events use the default bus and a separate role, so that they arrive even if the home bus or its role is broken.
resource "aws_cloudwatch_event_rule" "alarms" {
  for_each      = local.with_queue
  region        = each.key
  name          = "${var.name}-alarms"
  description   = each.key == local.home ? "Publishes alarms of all Regions" : "Sends alarms to ${local.home}"
  event_pattern = jsonencode(local.regional_alarm)
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
  description          = "Sends alarms to ${local.home}"
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
