# Notifications, alarms, and the dashboard.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip = "./permissions.json" # any file is sufficient for a plan
}

run "actions_and_failures_are_published" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.results["done"].event_pattern) == {
      source      = ["lambda"]
      detail-type = ["Lambda Function Invocation Result - Success"]
      detail = {
        requestContext = { functionArn = [
          "arn:aws:lambda:eu-central-1:111122223333:function:imds-enforcer",
          "arn:aws:lambda:eu-central-1:111122223333:function:imds-enforcer:$LATEST",
        ] }
        responsePayload = { summary = { "$or" = [
          { enforced = [{ numeric = [">", 0] }] },
          { stopped = [{ numeric = [">", 0] }] },
          { terminated = [{ numeric = [">", 0] }] },
          { failed = [{ numeric = [">", 0] }] },
        ] } }
      }
    }
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.results["done"].event_pattern}"
  }
}

run "failed_events_are_published" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.results["failed"].event_pattern) == {
      source      = ["lambda"]
      detail-type = ["Lambda Function Invocation Result - Failure"]
      detail = { requestContext = { functionArn = [
        "arn:aws:lambda:eu-central-1:111122223333:function:imds-enforcer",
        "arn:aws:lambda:eu-central-1:111122223333:function:imds-enforcer:$LATEST",
      ] } }
    }
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.results["failed"].event_pattern}"
  }
}

run "alarms_and_rules_can_publish" {
  command = plan

  assert {
    condition = jsondecode(aws_sns_topic_policy.this.policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "Alarms"
          Effect    = "Allow"
          Principal = { Service = "cloudwatch.amazonaws.com" }
          Action    = "sns:Publish"
          Resource  = "arn:aws:sns:eu-central-1:111122223333:imds-enforcer"
          Condition = { StringEquals = { "aws:SourceAccount" = "111122223333" } }
        },
        {
          Sid       = "Rules"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sns:Publish"
          Resource  = "arn:aws:sns:eu-central-1:111122223333:imds-enforcer"
        },
      ]
    }
    error_message = "policy: ${aws_sns_topic_policy.this.policy}"
  }
}

run "dead_letter_alarms_are_sent_to_the_home_region_separately" {
  command = plan

  assert {
    condition = alltrue([
      for rule in aws_cloudwatch_event_rule.alarms : jsondecode(rule.event_pattern) == {
        source      = ["aws.cloudwatch"]
        account     = ["111122223333"]
        detail-type = ["CloudWatch Alarm State Change"]
        detail      = { alarmName = ["imds-enforcer-dead-letters"], state = { value = ["ALARM"] } }
      }
    ])
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.alarms["us-east-1"].event_pattern}"
  }
  assert {
    condition     = { for region, target in aws_cloudwatch_event_target.alarms_to_home : region => target.arn } == { for region in ["ap-southeast-2", "eu-west-1", "us-east-1"] : region => "arn:aws:events:eu-central-1:111122223333:event-bus/default" }
    error_message = "targets: ${jsonencode({ for region, target in aws_cloudwatch_event_target.alarms_to_home : region => target.arn })}"
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.alarms.policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = "events:PutEvents"
        Resource = "arn:aws:events:eu-central-1:111122223333:event-bus/default"
      }]
    }
    error_message = "policy: ${aws_iam_role_policy.alarms.policy}"
  }
}

run "every_alarm_has_a_description" {
  command = plan

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.home : length(alarm.alarm_description) > 80 && length(alarm.alarm_description) <= 1024])
    error_message = "lengths of the descriptions: ${jsonencode({ for name, alarm in aws_cloudwatch_metric_alarm.home : name => length(alarm.alarm_description) })}"
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.dead_letters : length(alarm.alarm_description) <= 1024])
    error_message = "expected at most 1024 characters"
  }
  assert {
    condition     = output.alarm_names == tolist([for name in ["dead-letter-errors", "destination-failures", "drift-limit-reached", "errors", "event-age", "on-failure-queue", "regions-not-scanned", "rejected-calls", "throttles"] : "imds-enforcer-${name}"])
    error_message = "alarm_names: ${jsonencode(output.alarm_names)}"
  }
}

run "two_incomplete_sweeps_raise_an_alarm" {
  command = plan
  variables {
    sweep_schedule = "rate(15 minutes)"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.home["regions-not-scanned"].period == 900 &&
      aws_cloudwatch_metric_alarm.home["regions-not-scanned"].evaluation_periods == 2 &&
      aws_cloudwatch_metric_alarm.home["regions-not-scanned"].threshold == 4 &&
      aws_cloudwatch_metric_alarm.home["regions-not-scanned"].comparison_operator == "LessThanThreshold" &&
      aws_cloudwatch_metric_alarm.home["regions-not-scanned"].treat_missing_data == "breaching"
    )
    error_message = "expected an alarm if two consecutive sweeps scan fewer than four Regions"
  }
}

run "reaching_the_disruption_limit_raises_an_alarm_if_the_policy_terminates" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "terminate", limits = { disruptions_per_hour = 3 } }
  }

  assert {
    condition     = strcontains(aws_cloudwatch_metric_alarm.home["disruption-limit-reached"].alarm_description, "disruptions_per_hour (3)")
    error_message = "alarm_description: ${aws_cloudwatch_metric_alarm.home["disruption-limit-reached"].alarm_description}"
  }
}

run "the_dashboard_shows_every_region_and_queue" {
  command = plan

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 8
    error_message = "expected eight widgets"
  }
  assert {
    condition = alltrue(flatten([
      for region in output.regions : [
        strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "dead-letters ${region}"),
        strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "Region=\\\\\\\"${region}\\\\\\\"") || strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "Region=\\\"${region}\\\""),
      ]
    ]))
    error_message = "dashboard_body: ${aws_cloudwatch_dashboard.this.dashboard_body}"
  }
}

run "subscriptions_are_created" {
  command = plan
  variables {
    subscriptions = [{ protocol = "email", endpoint = "security@example.org" }]
  }

  assert {
    condition     = aws_sns_topic_subscription.this["email security@example.org"].endpoint == "security@example.org"
    error_message = "subscriptions: ${jsonencode(keys(aws_sns_topic_subscription.this))}"
  }
}
