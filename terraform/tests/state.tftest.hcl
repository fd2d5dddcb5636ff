# The state table, and the queues for events that the function failed to process.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip = "./permissions.json" # any file is sufficient for a plan
}

run "the_table_is_protected_and_costs_only_what_is_used" {
  command = plan

  assert {
    condition = (
      aws_dynamodb_table.state.name == "imds-enforcer" && aws_dynamodb_table.state.billing_mode == "PAY_PER_REQUEST" &&
      aws_dynamodb_table.state.hash_key == "key" && aws_dynamodb_table.state.range_key == null &&
      [for attribute in aws_dynamodb_table.state.attribute : [attribute.name, attribute.type]] == [["key", "S"]]
    )
    error_message = "expected a table on demand with the partition key `key`"
  }
  assert {
    condition     = aws_dynamodb_table.state.ttl[0].enabled && aws_dynamodb_table.state.ttl[0].attribute_name == "expires_at"
    error_message = "expected items to expire"
  }
  assert {
    condition     = aws_dynamodb_table.state.point_in_time_recovery[0].enabled && aws_dynamodb_table.state.deletion_protection_enabled
    error_message = "expected point-in-time recovery and deletion protection"
  }
  assert {
    condition     = output.state_table_name == "imds-enforcer"
    error_message = "state_table_name: ${output.state_table_name}"
  }
}

run "deletion_protection_can_be_turned_off" {
  command = plan
  variables {
    state_deletion_protection = false
  }

  assert {
    condition     = !aws_dynamodb_table.state.deletion_protection_enabled
    error_message = "expected no deletion protection"
  }
}

run "people_can_exempt_and_pause_only" {
  command = plan

  assert {
    condition = jsondecode(output.exemptions_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid      = "ExemptAndPause"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        Resource = "arn:aws:dynamodb:eu-central-1:111122223333:table/imds-enforcer"
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["exempt#*", "pause#*"] }
          Null                      = { "dynamodb:LeadingKeys" = "false" }
        }
        }, {
        Sid      = "ListExemptionsAndPauses"
        Effect   = "Allow"
        Action   = "dynamodb:Scan"
        Resource = "arn:aws:dynamodb:eu-central-1:111122223333:table/imds-enforcer"
        }, {
        Sid      = "ReadWatchedInstances"
        Effect   = "Allow"
        Action   = "dynamodb:BatchGetItem"
        Resource = "arn:aws:dynamodb:eu-central-1:111122223333:table/imds-enforcer"
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["watch#*"] }
          Null                      = { "dynamodb:LeadingKeys" = "false" }
        }
      }]
    }
    error_message = "exemptions_policy: ${output.exemptions_policy}"
  }
}

run "people_can_use_the_key_only_through_dynamodb" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/0e3a5b1c-0000-4000-8000-9d8f70642000"
  }

  assert {
    condition = jsondecode(output.exemptions_policy).Statement[3] == {
      Sid       = "UseKeyOfTable"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = var.kms_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "dynamodb.eu-central-1.amazonaws.com" } }
    }
    error_message = "exemptions_policy: ${output.exemptions_policy}"
  }
}

run "queues_keep_messages_for_14_days" {
  command = plan

  assert {
    condition = alltrue([
      for queue in concat([aws_sqs_queue.on_failure, aws_sqs_queue.sweep_failures], values(aws_sqs_queue.dead_letters)) :
      queue.message_retention_seconds == 1209600
    ])
    error_message = "expected 14 days in every queue"
  }
}

run "failed_sweeps_and_other_failed_events_have_their_own_queues" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.failures["on-failure"].event_pattern) == {
      source      = ["lambda"]
      account     = ["111122223333"]
      detail-type = ["Lambda Function Invocation Result - Failure"]
      detail = {
        requestContext = { functionArn = [
          "arn:aws:lambda:eu-central-1:111122223333:function:imds-enforcer",
          "arn:aws:lambda:eu-central-1:111122223333:function:imds-enforcer:$LATEST",
        ] }
        requestPayload = { source = [{ anything-but = ["imds-enforcer"] }, { exists = false }] }
      }
    }
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.failures["on-failure"].event_pattern}"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.failures["sweep-failures"].event_pattern).detail.requestPayload == { source = ["imds-enforcer"] }
    error_message = "event_pattern: ${aws_cloudwatch_event_rule.failures["sweep-failures"].event_pattern}"
  }
  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.failures : target.input_path == "$.detail.requestPayload"])
    error_message = "expected the original events"
  }
  assert {
    condition = alltrue([
      for target in aws_cloudwatch_event_target.failures :
      length(target.dead_letter_config) == 1 && target.retry_policy[0].maximum_event_age_in_seconds == 86400 && target.retry_policy[0].maximum_retry_attempts == 185
    ])
    error_message = "expected the maximum number of retries and a dead-letter queue"
  }
}

run "the_queues_accept_messages_only_from_their_rules" {
  command = plan

  assert {
    condition = { for name, policy in aws_sqs_queue_policy.failures : name => jsondecode(policy.policy) } == {
      for name in ["on-failure", "sweep-failures"] : name => {
        Version = "2012-10-17"
        Statement = [{
          Sid       = "FailedEvents"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = "arn:aws:sqs:eu-central-1:111122223333:imds-enforcer-${name}"
          Condition = { ArnEquals = { "aws:SourceArn" = ["arn:aws:events:eu-central-1:111122223333:rule/imds-enforcer/imds-enforcer-${name}"] } }
        }]
      }
    }
    error_message = "policies: ${jsonencode([for policy in aws_sqs_queue_policy.failures : policy.policy])}"
  }
}
