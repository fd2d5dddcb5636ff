# Resources in every monitored Region and in the home Region.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip = "./permissions.json" # any file is sufficient for a plan
}

run "all_enabled_regions_are_covered_by_default" {
  command = plan

  assert {
    condition     = output.home_region == "eu-central-1"
    error_message = "home_region: ${output.home_region}"
  }
  assert {
    condition     = output.regions == tolist(["ap-southeast-2", "eu-central-1", "eu-west-1", "us-east-1"])
    error_message = "regions: ${jsonencode(output.regions)}"
  }
  assert {
    condition     = output.watched_regions == output.regions
    error_message = "watched_regions: ${jsonencode(output.watched_regions)}"
  }
  assert {
    condition = { for key, rule in aws_cloudwatch_event_rule.watch : key => rule.region } == {
      "ap-southeast-2/launches" = "ap-southeast-2"
      "eu-central-1/launches"   = "eu-central-1"
      "eu-west-1/launches"      = "eu-west-1"
      "us-east-1/launches"      = "us-east-1"
    }
    error_message = "rules: ${jsonencode(keys(aws_cloudwatch_event_rule.watch))}"
  }
  assert {
    condition     = { for key, target in aws_cloudwatch_event_target.watch : key => target.region } == { for key, rule in aws_cloudwatch_event_rule.watch : key => rule.region }
    error_message = "expected each target in the Region of its rule"
  }
  assert {
    condition     = toset([for queue in aws_sqs_queue.dead_letters : queue.region]) == toset(output.regions)
    error_message = "expected a queue in each Region"
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.dead_letters : alarm.alarm_actions == null]) && toset([for alarm in aws_cloudwatch_metric_alarm.dead_letters : alarm.region]) == toset(output.regions)
    error_message = "expected an alarm without actions in each Region"
  }
}

run "regions_can_be_selected_and_excluded" {
  command = plan
  variables {
    regions          = ["us-east-1", "eu-west-1"]
    excluded_regions = ["eu-west-1"]
  }

  assert {
    condition     = output.regions == tolist(["us-east-1"])
    error_message = "regions: ${jsonencode(output.regions)}"
  }
  assert {
    condition     = keys(aws_cloudwatch_event_rule.watch) == ["us-east-1/launches"]
    error_message = "rules: ${jsonencode(keys(aws_cloudwatch_event_rule.watch))}"
  }
  assert {
    condition     = keys(aws_sqs_queue.dead_letters) == ["eu-central-1", "us-east-1"]
    error_message = "expected a queue in the home Region even if it is not monitored: ${jsonencode(keys(aws_sqs_queue.dead_letters))}"
  }
}

run "a_sweep_only_region_has_no_rules" {
  command = plan
  variables {
    sweep_only_regions = ["ap-southeast-2"]
  }

  assert {
    condition     = contains(output.regions, "ap-southeast-2") && !contains(output.watched_regions, "ap-southeast-2")
    error_message = "expected the Region in `regions` but not in `watched_regions`"
  }
  assert {
    condition     = !anytrue([for key in keys(aws_cloudwatch_event_rule.watch) : startswith(key, "ap-southeast-2/")])
    error_message = "expected no rule in the Region"
  }
  assert {
    condition     = contains(jsondecode(aws_scheduler_schedule.sweep.target[0].input).detail.regions, "ap-southeast-2")
    error_message = "expected the Region in the sweep event"
  }
}

run "successful_launches_starts_and_option_changes_are_sent_to_the_home_region" {
  command = plan

  assert {
    condition = alltrue([
      for rule in aws_cloudwatch_event_rule.watch : jsondecode(rule.event_pattern) == {
        source      = ["aws.ec2"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["ec2.amazonaws.com"]
          eventName   = ["RunInstances", "StartInstances", "ModifyInstanceMetadataOptions"]
          errorCode   = [{ exists = false }]
          userIdentity = { sessionContext = { sessionIssuer = { arn = [
            { exists = false },
            { anything-but = ["arn:aws:iam::111122223333:role/imds-enforcer-function"] },
          ] } } }
        }
      }
    ])
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.watch["us-east-1/launches"].event_pattern}"
  }
  assert {
    condition = alltrue([
      for target in aws_cloudwatch_event_target.watch :
      target.retry_policy[0].maximum_event_age_in_seconds == 86400 && target.retry_policy[0].maximum_retry_attempts == 185
    ])
    error_message = "expected the maximum number and duration of retries"
  }
}

run "instance_state_changes_are_sent_to_the_home_region_if_enabled" {
  command = plan
  variables {
    regions             = ["us-east-1"]
    watch_state_changes = true
  }

  assert {
    condition     = keys(aws_cloudwatch_event_rule.watch) == ["us-east-1/launches", "us-east-1/states"]
    error_message = "rules: ${jsonencode(keys(aws_cloudwatch_event_rule.watch))}"
  }
  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.watch["us-east-1/states"].event_pattern) == {
      source      = ["aws.ec2"]
      detail-type = ["EC2 Instance State-change Notification"]
      detail      = { state = ["pending", "running"] }
    }
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.watch["us-east-1/states"].event_pattern}"
  }
}

run "dead_letter_queues_accept_messages_only_from_rules_of_the_module" {
  command = plan
  variables {
    regions             = ["us-east-1", "eu-central-1"]
    watch_state_changes = true
  }

  assert {
    condition = jsondecode(aws_sqs_queue_policy.dead_letters["us-east-1"].policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "RulesInThisRegion"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:us-east-1:111122223333:imds-enforcer-dead-letters"
        Condition = { ArnEquals = { "aws:SourceArn" = [
          "arn:aws:events:us-east-1:111122223333:rule/imds-enforcer-alarms",
          "arn:aws:events:us-east-1:111122223333:rule/imds-enforcer-api-calls",
          "arn:aws:events:us-east-1:111122223333:rule/imds-enforcer-states",
        ] } }
      }]
    }
    error_message = "policy: ${aws_sqs_queue_policy.dead_letters["us-east-1"].policy}"
  }
  assert {
    condition = jsondecode(aws_sqs_queue_policy.dead_letters["eu-central-1"].policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "RulesInThisRegion"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:eu-central-1:111122223333:imds-enforcer-dead-letters"
        Condition = { ArnEquals = { "aws:SourceArn" = [
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer-alarms",
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer-api-calls",
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer-states",
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer/imds-enforcer-done",
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer/imds-enforcer-failed",
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer/imds-enforcer-function",
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer/imds-enforcer-on-failure",
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer/imds-enforcer-paused",
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer/imds-enforcer-sweep",
          "arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer/imds-enforcer-sweep-failures",
        ] } }
      }]
    }
    error_message = "policy: ${aws_sqs_queue_policy.dead_letters["eu-central-1"].policy}"
  }
}

run "the_forwarding_role_can_only_put_events_on_the_home_bus" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role_policy.forward.policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = "events:PutEvents"
        Resource = "arn:aws:events:eu-central-1:111122223333:event-bus/imds-enforcer"
      }]
    }
    error_message = "policy: ${aws_iam_role_policy.forward.policy}"
  }
  assert {
    condition = jsondecode(aws_iam_role.forward.assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "events.amazonaws.com" }
        Condition = { StringEquals = { "aws:SourceAccount" = "111122223333" } }
      }]
    }
    error_message = "assume_role_policy: ${aws_iam_role.forward.assume_role_policy}"
  }
}

run "the_home_bus_accepts_events_only_from_the_module" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_bus_policy.home.policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "ThisAccount"
          Effect    = "Allow"
          Principal = { AWS = "arn:aws:iam::111122223333:root" }
          Action    = "events:PutEvents"
          Resource  = "arn:aws:events:eu-central-1:111122223333:event-bus/imds-enforcer"
        },
        {
          Sid       = "DenyOthers"
          Effect    = "Deny"
          Principal = "*"
          Action    = "events:PutEvents"
          Resource  = "arn:aws:events:eu-central-1:111122223333:event-bus/imds-enforcer"
          Condition = { ArnNotEquals = { "aws:PrincipalArn" = [
            "arn:aws:iam::111122223333:role/imds-enforcer-function",
            "arn:aws:iam::111122223333:role/imds-enforcer-forward",
          ] } }
        },
      ]
    }
    error_message = "policy: ${aws_cloudwatch_event_bus_policy.home.policy}"
  }
}

run "the_function_receives_events_from_ec2_but_not_its_own_results" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.function.event_pattern) == {
      source      = ["aws.ec2"]
      account     = ["111122223333"]
      detail-type = ["AWS API Call via CloudTrail", "EC2 Instance State-change Notification"]
    }
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.function.event_pattern}"
  }
}
