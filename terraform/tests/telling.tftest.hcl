# Who is told, and of what.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip = "./permissions.json" # any file will do for a plan
}

run "what_was_done_is_told_and_what_was_right_is_not" {
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
          { spared = [{ numeric = [">", 0] }] },
          { failed = [{ numeric = [">", 0] }] },
        ] } }
      }
    }
    error_message = "pattern is ${aws_cloudwatch_event_rule.results["done"].event_pattern}"
  }
}

run "what_was_given_up_is_told" {
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
    error_message = "pattern is ${aws_cloudwatch_event_rule.results["failed"].event_pattern}"
  }
}

run "alarms_and_rules_of_this_account_may_publish" {
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
    error_message = "policy is ${aws_sns_topic_policy.this.policy}"
  }
}

run "an_alarm_in_any_region_goes_home_by_a_way_of_its_own" {
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
    error_message = "pattern is ${aws_cloudwatch_event_rule.alarms["us-east-1"].event_pattern}"
  }
  assert {
    condition     = { for region, target in aws_cloudwatch_event_target.alarms_to_home : region => target.arn } == { for region in ["ap-southeast-2", "eu-west-1", "us-east-1"] : region => "arn:aws:events:eu-central-1:111122223333:event-bus/default" }
    error_message = "targets are ${jsonencode({ for region, target in aws_cloudwatch_event_target.alarms_to_home : region => target.arn })}"
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
    error_message = "policy is ${aws_iam_role_policy.alarms.policy}"
  }
}

run "every_alarm_says_what_to_do" {
  command = plan

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.home : length(alarm.alarm_description) > 80 && length(alarm.alarm_description) <= 1024])
    error_message = "descriptions are ${jsonencode({ for name, alarm in aws_cloudwatch_metric_alarm.home : name => length(alarm.alarm_description) })} characters long"
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.dead_letters : length(alarm.alarm_description) <= 1024])
    error_message = "CloudWatch takes 1024 characters"
  }
  assert {
    condition     = output.alarm_names == tolist([for name in ["breaking", "drifting", "errors", "failures-lost", "late", "on-failure", "results-lost", "sweep", "throttles"] : "imds-enforcer-${name}"])
    error_message = "alarms are ${jsonencode(output.alarm_names)}"
  }
}

run "a_sweep_that_misses_a_region_twice_raises_the_alarm" {
  command = plan
  variables {
    sweep_schedule = "rate(15 minutes)"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.home["sweep"].period == 900 &&
      aws_cloudwatch_metric_alarm.home["sweep"].evaluation_periods == 2 &&
      aws_cloudwatch_metric_alarm.home["sweep"].threshold == 4 &&
      aws_cloudwatch_metric_alarm.home["sweep"].comparison_operator == "LessThanThreshold" &&
      aws_cloudwatch_metric_alarm.home["sweep"].treat_missing_data == "breaching"
    )
    error_message = "less than all four regions, twice within half an hour, or nothing at all"
  }
}

run "terminations_at_their_limit_raise_the_alarm_where_there_are_any" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "terminate", limits = { terminations_per_hour = 3 } }
  }

  assert {
    condition     = strcontains(aws_cloudwatch_metric_alarm.home["spared"].alarm_description, "terminations_per_hour (3)")
    error_message = "description is ${aws_cloudwatch_metric_alarm.home["spared"].alarm_description}"
  }
}

run "the_dashboard_shows_every_region_and_queue" {
  command = plan

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 8
    error_message = "eight panels"
  }
  assert {
    condition = alltrue(flatten([
      for region in output.regions : [
        strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "dead letters ${region}"),
        strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "Region=\\\\\\\"${region}\\\\\\\"") || strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "Region=\\\"${region}\\\""),
      ]
    ]))
    error_message = "body is ${aws_cloudwatch_dashboard.this.dashboard_body}"
  }
}

run "whoever_subscribes_is_told" {
  command = plan
  variables {
    subscriptions = [{ protocol = "email", endpoint = "security@example.org" }]
  }

  assert {
    condition     = aws_sns_topic_subscription.this["email security@example.org"].endpoint == "security@example.org"
    error_message = "subscriptions are ${jsonencode(keys(aws_sns_topic_subscription.this))}"
  }
}
