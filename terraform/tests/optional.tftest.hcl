# Defaults and optional features.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip = "./permissions.json" # any file is sufficient for a plan
}

run "optional_features_are_off_by_default" {
  command = plan

  assert {
    condition = (
      length(aws_ec2_instance_metadata_defaults.this) == 0 && length(aws_cloudwatch_event_archive.home) == 0 &&
      length(aws_cloudtrail.this) == 0 && length(aws_s3_bucket.trail) == 0 && length(aws_sns_topic_subscription.this) == 0
    )
    error_message = "expected no account defaults, archive, trail, bucket, or subscription"
  }
  assert {
    condition     = output.archive_name == null && output.trail_arn == null
    error_message = "expected null outputs"
  }
  assert {
    condition = (
      aws_lambda_function.enforcer.reserved_concurrent_executions == -1 && aws_lambda_function.enforcer.kms_key_arn == null &&
      alltrue([for role in [aws_iam_role.function, aws_iam_role.forward, aws_iam_role.alarms, aws_iam_role.sweep] : role.permissions_boundary == null])
    )
    error_message = "expected no reserved concurrency, key, or permissions boundary"
  }
}

run "the_function_uses_the_documented_defaults" {
  command = plan

  assert {
    condition = (
      aws_lambda_function.enforcer.runtime == "provided.al2023" && aws_lambda_function.enforcer.architectures == tolist(["x86_64"]) &&
      aws_lambda_function.enforcer.memory_size == 256 && aws_lambda_function.enforcer.timeout == 300 &&
      aws_lambda_function.enforcer.logging_config[0].log_format == "JSON" &&
      aws_lambda_function.enforcer.logging_config[0].application_log_level == "INFO" &&
      aws_lambda_function.enforcer.logging_config[0].system_log_level == "WARN" && aws_cloudwatch_log_group.function.skip_destroy &&
      aws_cloudwatch_log_group.function.name == "/aws/lambda/imds-enforcer" && aws_cloudwatch_log_group.function.retention_in_days == 90
    )
    error_message = "expected the defaults in README.md"
  }
  assert {
    condition     = aws_lambda_function.enforcer.environment[0].variables.IMDS_POLICY == jsonencode({ version = 1, require = { http_tokens = "required" }, on_violation = "report" })
    error_message = "policy: ${aws_lambda_function.enforcer.environment[0].variables.IMDS_POLICY}"
  }
  assert {
    condition     = aws_lambda_function.enforcer.environment[0].variables.IMDS_ROLE_ARN == "arn:aws:iam::111122223333:role/imds-enforcer-function"
    error_message = "IMDS_ROLE_ARN: ${aws_lambda_function.enforcer.environment[0].variables.IMDS_ROLE_ARN}"
  }
  assert {
    condition     = aws_lambda_function.enforcer.environment[0].variables.IMDS_STATE_TABLE == "imds-enforcer"
    error_message = "IMDS_STATE_TABLE: ${aws_lambda_function.enforcer.environment[0].variables.IMDS_STATE_TABLE}"
  }
  assert {
    condition     = length(aws_lambda_function.enforcer.dead_letter_config) == 0
    error_message = "expected failed events in the queues only once, from the rules"
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.enforcer.maximum_retry_attempts == 2 && aws_lambda_function_event_invoke_config.enforcer.maximum_event_age_in_seconds == 21600
    error_message = "expected two retries within six hours"
  }
}

run "the_log_group_can_be_destroyed" {
  command = plan
  variables {
    log_skip_destroy = false
  }

  assert {
    condition     = !aws_cloudwatch_log_group.function.skip_destroy
    error_message = "expected a log group that is destroyed with the module"
  }
}

run "a_reserved_concurrency_of_0_turns_the_function_off" {
  command = plan
  variables {
    reserved_concurrency = 0
  }

  assert {
    condition     = aws_lambda_function.enforcer.reserved_concurrent_executions == 0
    error_message = "reserved_concurrent_executions: ${aws_lambda_function.enforcer.reserved_concurrent_executions}"
  }
}

run "account_defaults_are_set_in_every_region" {
  command = plan
  variables {
    account_defaults = { hop_limit = 2 }
  }

  assert {
    condition = { for region, defaults in aws_ec2_instance_metadata_defaults.this : region => [defaults.region, defaults.http_tokens, defaults.http_put_response_hop_limit] } == {
      for region in output.regions : region => [region, "required", 2]
    }
    error_message = "defaults: ${jsonencode(aws_ec2_instance_metadata_defaults.this)}"
  }
}

run "the_archive_keeps_events_but_not_results" {
  command = plan
  variables {
    archive_days = 30
  }

  assert {
    condition     = aws_cloudwatch_event_archive.home[0].retention_days == 30 && jsondecode(aws_cloudwatch_event_archive.home[0].event_pattern).source == ["aws.ec2"]
    error_message = "event_pattern: ${aws_cloudwatch_event_archive.home[0].event_pattern}"
  }
}

run "the_trail_logs_all_regions_to_its_own_bucket" {
  command = plan
  variables {
    create_trail = true
  }

  assert {
    condition     = aws_cloudtrail.this[0].is_multi_region_trail && aws_cloudtrail.this[0].enable_log_file_validation
    error_message = "expected all Regions and log file validation"
  }
  assert {
    condition = jsondecode(aws_s3_bucket_policy.trail[0].policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "CloudTrailAclCheck"
          Effect    = "Allow"
          Principal = { Service = "cloudtrail.amazonaws.com" }
          Action    = "s3:GetBucketAcl"
          Resource  = "arn:aws:s3:::imds-enforcer-trail-111122223333-eu-central-1"
          Condition = { StringEquals = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/imds-enforcer" } }
        },
        {
          Sid       = "CloudTrailWrite"
          Effect    = "Allow"
          Principal = { Service = "cloudtrail.amazonaws.com" }
          Action    = "s3:PutObject"
          Resource  = "arn:aws:s3:::imds-enforcer-trail-111122223333-eu-central-1/AWSLogs/111122223333/*"
          Condition = { StringEquals = {
            "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/imds-enforcer"
            "s3:x-amz-acl"  = "bucket-owner-full-control"
          } }
        },
        {
          Sid       = "DenyInsecureTransport"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource = [
            "arn:aws:s3:::imds-enforcer-trail-111122223333-eu-central-1",
            "arn:aws:s3:::imds-enforcer-trail-111122223333-eu-central-1/*",
          ]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    }
    error_message = "policy: ${aws_s3_bucket_policy.trail[0].policy}"
  }
}

run "the_key_is_used_only_in_the_home_region" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/0e3a5b1c-0000-4000-8000-9d8f70642000"
  }

  assert {
    condition = (
      aws_lambda_function.enforcer.kms_key_arn == var.kms_key_arn && aws_cloudwatch_log_group.function.kms_key_id == var.kms_key_arn &&
      aws_sns_topic.this.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.on_failure.kms_master_key_id == var.kms_key_arn &&
      aws_sqs_queue.sweep_failures.kms_master_key_id == var.kms_key_arn && aws_dynamodb_table.state.server_side_encryption[0].enabled &&
      aws_dynamodb_table.state.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    )
    error_message = "expected the key for variables, logs, state table, topic, and queues"
  }
  assert {
    condition     = [for region, queue in aws_sqs_queue.dead_letters : region if queue.kms_master_key_id != null] == ["eu-central-1"]
    error_message = "keys: ${jsonencode({ for region, queue in aws_sqs_queue.dead_letters : region => queue.kms_master_key_id })}"
  }
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.function.policy).Statement : statement if statement.Sid == "UseKey"] == [{
      Sid = "UseKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.kms_key_arn]
    }]
    error_message = "policy: ${aws_iam_role_policy.function.policy}"
  }
}

run "every_role_has_the_permissions_boundary" {
  command = plan
  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
  }

  assert {
    condition     = alltrue([for role in [aws_iam_role.function, aws_iam_role.forward, aws_iam_role.alarms, aws_iam_role.sweep] : role.permissions_boundary == var.permissions_boundary_arn])
    error_message = "expected the permissions boundary on all roles"
  }
}

run "every_resource_has_the_tags_and_the_name" {
  command = plan
  variables {
    name         = "guard"
    tags         = { owner = "security" }
    create_trail = true
  }

  assert {
    condition = alltrue([
      for resource in concat(
        [aws_lambda_function.enforcer, aws_cloudwatch_log_group.function, aws_sqs_queue.on_failure, aws_sqs_queue.sweep_failures, aws_dynamodb_table.state, aws_cloudwatch_event_bus.home, aws_sns_topic.this],
        [aws_iam_role.function, aws_iam_role.forward, aws_iam_role.alarms, aws_iam_role.sweep, aws_cloudwatch_event_rule.function],
        [aws_cloudtrail.this[0], aws_s3_bucket.trail[0]],
        values(aws_sqs_queue.dead_letters), values(aws_cloudwatch_event_rule.watch), values(aws_cloudwatch_event_rule.results), values(aws_cloudwatch_event_rule.failures),
        values(aws_cloudwatch_event_rule.alarms), values(aws_cloudwatch_metric_alarm.home), values(aws_cloudwatch_metric_alarm.dead_letters),
      ) : resource.tags == tomap({ owner = "security" })
    ])
    error_message = "expected the tags on all resources that support tags"
  }
  assert {
    condition     = output.function_name == "guard" && output.log_group == "/aws/lambda/guard" && output.bus_name == "guard" && output.schedule_name == "guard-sweep"
    error_message = "expected names that start with `guard`"
  }
}
