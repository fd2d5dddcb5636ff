# Notifications, alarms, and the dashboard.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target          = terraform_data.topic
  override_during = plan
  values          = { output = "0e3a5b1c-0000-4000-8000-9d8f70642000" }
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
        responsePayload = {
          trigger = [{ anything-but = ["sweep"] }]
          summary = { "$or" = [
            { enforced = [{ numeric = [">", 0] }] },
            { stopped = [{ numeric = [">", 0] }] },
            { terminated = [{ numeric = [">", 0] }] },
            { failed = [{ numeric = [">", 0] }] },
          ] }
        }
      }
    }
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.results["done"].event_pattern}"
  }
}

run "what_sweeps_do_is_published_in_numbers" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.results["sweep"].event_pattern).detail.responsePayload == {
      trigger = ["sweep"]
      summary = { "$or" = [
        { enforced = [{ numeric = [">", 0] }] },
        { stopped = [{ numeric = [">", 0] }] },
        { terminated = [{ numeric = [">", 0] }] },
      ] }
    }
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.results["sweep"].event_pattern}"
  }
  assert {
    condition     = !anytrue([for path in values(aws_cloudwatch_event_target.results["sweep"].input_transformer[0].input_paths) : strcontains(path, "instances[")])
    error_message = "input_paths: ${jsonencode(aws_cloudwatch_event_target.results["sweep"].input_transformer[0].input_paths)}"
  }
}

run "there_is_no_digest_by_default" {
  command = plan

  assert {
    condition     = keys(aws_cloudwatch_event_rule.results) == ["done", "failed", "paused", "sweep"]
    error_message = "rules: ${jsonencode(keys(aws_cloudwatch_event_rule.results))}"
  }
}

run "a_digest_tells_once_a_day_what_is_only_reported" {
  command = plan
  variables {
    notify_reported = true
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.results["digest"].event_pattern).detail.responsePayload == { trigger = ["sweep"], first_of_day = [true] }
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.results["digest"].event_pattern}"
  }
  assert {
    condition     = contains(output.alarm_names, "imds-enforcer-failed-invocations-digest") && contains(keys(aws_cloudwatch_metric_alarm.undelivered), "eu-central-1/digest")
    error_message = "expected alarms for the rule"
  }
  assert {
    condition     = contains(jsondecode(aws_sqs_queue_policy.dead_letters["eu-central-1"].policy).Statement[0].Condition.ArnEquals["aws:SourceArn"], "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer/imds-enforcer-digest")
    error_message = "expected that the dead-letter queue accepts messages from the rule"
  }
}

run "messages_fit_the_limits_of_eventbridge" {
  command = plan
  variables {
    name            = "a-name-of-forty-characters-the-maximum-x"
    notify_reported = true
  }

  assert {
    condition = alltrue([
      for target in aws_cloudwatch_event_target.results :
      length(target.input_transformer[0].input_paths) <= 100 && length(target.input_transformer[0].input_template) <= 8192
    ])
    error_message = "templates: ${jsonencode({ for name, target in aws_cloudwatch_event_target.results : name => length(target.input_transformer[0].input_template) })}"
  }
  assert {
    condition = alltrue([
      for target in aws_cloudwatch_event_target.results :
      toset(flatten(regexall("<([a-z]+)>", target.input_transformer[0].input_template))) == toset(keys(target.input_transformer[0].input_paths))
    ])
    error_message = "expected each path in its template, and each placeholder among the paths"
  }
  assert {
    condition     = alltrue([for rule in concat(values(aws_cloudwatch_event_rule.results), values(aws_cloudwatch_event_rule.alarms)) : length(rule.event_pattern) <= 2048])
    error_message = "patterns: ${jsonencode([for rule in values(aws_cloudwatch_event_rule.alarms) : length(rule.event_pattern)])}"
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
          Resource  = "arn:aws:sns:eu-central-1:111122223333:imds-enforcer-0e3a5b1c-0000-4000-8000-9d8f70642000"
          Condition = { StringEquals = { "aws:SourceAccount" = "111122223333" } }
        },
        {
          Sid       = "Rules"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sns:Publish"
          Resource  = "arn:aws:sns:eu-central-1:111122223333:imds-enforcer-0e3a5b1c-0000-4000-8000-9d8f70642000"
        },
      ]
    }
    error_message = "policy: ${aws_sns_topic_policy.this.policy}"
  }
  assert {
    condition = [
      for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement :
      statement if statement.Principal == { Service = "events.amazonaws.com" } && can(statement.Condition)
    ] == []
    error_message = "AWS drops messages of rules if their statement has a condition"
  }
}

run "the_name_of_the_topic_cannot_be_guessed" {
  command = plan

  assert {
    condition     = aws_sns_topic.this.name == "imds-enforcer-0e3a5b1c-0000-4000-8000-9d8f70642000" && aws_sns_topic.this.display_name == "imds-enforcer"
    error_message = "name: ${aws_sns_topic.this.name}"
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
        detail = {
          alarmName = concat(["imds-enforcer-dead-letters"], [
            for rule in ["alarms", "api-calls", "done", "failed", "function", "on-failure", "paused", "sweep", "sweep-failures"] : "imds-enforcer-undelivered-${rule}"
          ])
          state = { value = ["ALARM"] }
        }
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

run "every_alarm_has_a_description_that_names_its_section" {
  command = plan

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.home), values(aws_cloudwatch_metric_alarm.dead_letters), values(aws_cloudwatch_metric_alarm.undelivered)) :
      length(alarm.alarm_description) > 150 && length(alarm.alarm_description) <= 1024 && can(regex(" See docs/operations.md#[a-z-]+\\.$", alarm.alarm_description))
    ])
    error_message = "descriptions: ${jsonencode({ for name, alarm in aws_cloudwatch_metric_alarm.home : name => alarm.alarm_description })}"
  }
  assert {
    condition = output.alarm_names == tolist([for name in concat(
      ["destination-failures", "drift-limit-reached", "errors", "event-age"],
      [for rule in ["alarms", "done", "failed", "on-failure", "paused", "sweep", "sweep-failures"] : "failed-invocations-${rule}"],
      ["launches-lost", "missed-launches", "missed-launches-in-use", "paused", "rejected-calls", "state-unavailable", "sweep-failures", "sweep-incomplete", "throttles"],
    ) : "imds-enforcer-${name}"])
    error_message = "alarm_names: ${jsonencode(output.alarm_names)}"
  }
}

run "every_rule_with_a_dead_letter_queue_has_an_alarm_for_events_that_are_lost" {
  command = plan

  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.undelivered)) == toset(flatten([
      for region, policy in aws_sqs_queue_policy.dead_letters : [
        for arn in jsondecode(policy.policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] : "${region}/${trimprefix(reverse(split("/", arn))[0], "imds-enforcer-")}"
      ]
    ]))
    error_message = "alarms: ${jsonencode(keys(aws_cloudwatch_metric_alarm.undelivered))}"
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.undelivered["us-east-1/api-calls"].dimensions == tomap({ RuleName = "imds-enforcer-api-calls" }) &&
      aws_cloudwatch_metric_alarm.undelivered["eu-central-1/function"].dimensions == tomap({ RuleName = "imds-enforcer-function", EventBusName = "imds-enforcer" })
    )
    error_message = "expected both dimensions only for rules of the home bus"
  }
  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.undelivered), values(aws_cloudwatch_metric_alarm.dead_letters)) :
      alarm.alarm_actions == null && contains(jsondecode(aws_cloudwatch_event_rule.alarms[alarm.region].event_pattern).detail.alarmName, alarm.alarm_name)
    ])
    error_message = "expected that events publish the alarms of every Region"
  }
}

run "two_guards_do_not_share_metrics" {
  command = plan
  variables {
    name = "guard"
  }

  assert {
    condition     = [for alarm in aws_cloudwatch_metric_alarm.home : alarm.dimensions if alarm.namespace == "ImdsEnforcer/guard" && alarm.dimensions != null && length(alarm.dimensions) > 0] == []
    error_message = "expected metrics without dimensions"
  }
  assert {
    condition     = toset([for alarm in aws_cloudwatch_metric_alarm.home : alarm.namespace]) == toset(["AWS/Events", "AWS/Lambda", "AWS/SQS", "ImdsEnforcer/guard"])
    error_message = "expected the name of the function in the namespace"
  }
  assert {
    condition     = !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "\"ImdsEnforcer\"") && strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "\"ImdsEnforcer/guard\"")
    error_message = "dashboard_body: ${aws_cloudwatch_dashboard.this.dashboard_body}"
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

run "the_dashboard_shows_every_queue_and_reads_regions_from_the_logs" {
  command = plan

  assert {
    condition     = [for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.type] == concat([for _ in range(7) : "metric"], ["log", "log"])
    error_message = "dashboard_body: ${aws_cloudwatch_dashboard.this.dashboard_body}"
  }
  assert {
    condition     = alltrue([for region in output.regions : strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "dead-letters ${region}")])
    error_message = "dashboard_body: ${aws_cloudwatch_dashboard.this.dashboard_body}"
  }
  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "SOURCE '/aws/lambda/imds-enforcer' | filter ispresent(outcome)")
    error_message = "dashboard_body: ${aws_cloudwatch_dashboard.this.dashboard_body}"
  }
  assert {
    condition     = !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "\"Region\"")
    error_message = "expected no metric with the dimension Region, which does not exist"
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
