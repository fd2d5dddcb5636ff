# Validation of all variables except `policy`.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip = "./permissions.json" # any file is sufficient for a plan
}

run "minimum_values_are_accepted" {
  command = plan
  variables {
    name                 = "a00"
    regions              = ["us-east-1"]
    excluded_regions     = ["ap-east-1"]
    sweep_only_regions   = ["us-east-1"]
    memory               = 128
    timeout              = 60
    policy               = { require = { http_tokens = "required" }, on_violation = "enforce", new_instances = { grace_seconds = 6 }, existing = { usage_window_days = 1 } }
    reserved_concurrency = 0
    log_level            = "TRACE"
    system_log_level     = "DEBUG"
    log_retention_days   = 3
    sweep_schedule       = "rate(5 minutes)"
    archive_days         = 0
    account_defaults     = { hop_limit = 1, instance_metadata_tags = "disabled" }
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.watch) == 0 && aws_cloudwatch_metric_alarm.home["sweep-incomplete"].period == 300
    error_message = "expected no rules and a period of 5 minutes"
  }
}

run "maximum_values_are_accepted" {
  command = plan
  variables {
    name                     = "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"
    regions                  = ["ap-southeast-2", "eu-central-1", "eu-west-1", "us-east-1"]
    architecture             = "arm64"
    memory                   = 10240
    timeout                  = 900
    policy                   = { require = { http_tokens = "required" }, on_violation = "enforce", new_instances = { grace_seconds = 510 } }
    log_level                = "DEBUG"
    system_log_level         = "INFO"
    log_retention_days       = 3653
    sweep_schedule           = "rate(1 day)"
    subscriptions            = [{ protocol = "email", endpoint = "a@example.org" }, { protocol = "email", endpoint = "b@example.org" }]
    account_defaults         = { hop_limit = 64, instance_metadata_tags = "enabled" }
    permissions_boundary_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
  }

  assert {
    condition     = aws_lambda_function.enforcer.architectures == tolist(["arm64"]) && aws_cloudwatch_metric_alarm.home["sweep-incomplete"].period == 86400
    error_message = "expected the architecture `arm64` and a period of 1 day"
  }
}

run "a_timeout_that_covers_the_grace_period_is_accepted" {
  command = plan
  variables {
    timeout = 150
  }
}

run "a_sweep_every_24_hours_is_accepted" {
  command = plan
  variables {
    sweep_schedule = "rate(24 hours)"
  }
}

run "several_regions_in_china_are_rejected" {
  command = plan
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn" }
  }
  expect_failures = [var.sweep_only_regions]
}

run "one_region_in_china_is_accepted" {
  command = plan
  variables {
    regions = ["eu-central-1"]
  }
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn" }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.forward.policy).Statement[0].Resource == "arn:aws-cn:events:eu-central-1:111122223333:event-bus/imds-enforcer"
    error_message = "expected an ARN of the partition"
  }
}

run "sweep_only_regions_in_china_are_accepted" {
  command = plan
  variables {
    sweep_only_regions = ["ap-southeast-2", "eu-west-1", "us-east-1"]
  }
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn" }
  }
}

run "an_empty_list_of_regions_is_rejected" {
  command = plan
  variables {
    regions = []
  }
  expect_failures = [var.regions]
}

run "a_duplicate_region_is_rejected" {
  command = plan
  variables {
    regions = ["us-east-1", "us-east-1"]
  }
  expect_failures = [var.regions]
}

run "an_unknown_region_is_rejected" {
  command = plan
  variables {
    regions = ["us-east-9"]
  }
  expect_failures = [var.regions]
}

run "a_region_that_is_not_enabled_is_rejected" {
  command = plan
  variables {
    regions = ["ap-east-1"]
  }
  expect_failures = [var.regions]
}

run "an_unknown_excluded_region_is_rejected" {
  command = plan
  variables {
    excluded_regions = ["us-east-9"]
  }
  expect_failures = [var.excluded_regions]
}

run "a_duplicate_excluded_region_is_rejected" {
  command = plan
  variables {
    excluded_regions = ["us-east-1", "us-east-1"]
  }
  expect_failures = [var.excluded_regions]
}

run "excluding_every_region_is_rejected" {
  command = plan
  variables {
    regions          = ["us-east-1"]
    excluded_regions = ["us-east-1"]
  }
  expect_failures = [var.excluded_regions]
}

run "a_sweep_only_region_that_is_not_in_regions_is_rejected" {
  command = plan
  variables {
    sweep_only_regions = ["ap-east-1"]
  }
  expect_failures = [var.sweep_only_regions]
}

run "a_duplicate_sweep_only_region_is_rejected" {
  command = plan
  variables {
    sweep_only_regions = ["us-east-1", "us-east-1"]
  }
  expect_failures = [var.sweep_only_regions]
}

run "an_uppercase_name_is_rejected" {
  command = plan
  variables {
    name = "Guard"
  }
  expect_failures = [var.name]
}

run "a_name_of_41_characters_is_rejected" {
  command = plan
  variables {
    name = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx"
  }
  expect_failures = [var.name]
}

run "a_name_of_2_characters_is_rejected" {
  command = plan
  variables {
    name = "a0"
  }
  expect_failures = [var.name]
}

run "an_unknown_architecture_is_rejected" {
  command = plan
  variables {
    architecture = "riscv64"
  }
  expect_failures = [var.architecture]
}

run "a_missing_zip_is_rejected" {
  command = plan
  variables {
    zip = "./no-such.zip"
  }
  expect_failures = [aws_lambda_function.enforcer]
}

run "memory_below_the_minimum_is_rejected" {
  command = plan
  variables {
    memory = 127
  }
  expect_failures = [var.memory]
}

run "a_timeout_above_the_maximum_is_rejected" {
  command = plan
  variables {
    timeout = 901
  }
  expect_failures = [var.timeout]
}

run "a_timeout_below_the_minimum_is_rejected" {
  command = plan
  variables {
    timeout = 59
  }
  expect_failures = [var.timeout]
}

run "a_timeout_too_short_for_the_grace_period_is_rejected" {
  command = plan
  variables {
    timeout = 149
  }
  expect_failures = [var.timeout]
}

run "a_message_size_below_the_minimum_is_rejected" {
  command = plan
  variables {
    max_message_size = 262143
  }
  expect_failures = [var.max_message_size]
}

run "a_message_size_above_the_maximum_of_sqs_is_rejected" {
  command = plan
  variables {
    max_message_size = 1048577
  }
  expect_failures = [var.max_message_size]
}

run "a_fractional_message_size_is_rejected" {
  command = plan
  variables {
    max_message_size = 262144.5
  }
  expect_failures = [var.max_message_size]
}

run "a_negative_concurrency_is_rejected" {
  command = plan
  variables {
    reserved_concurrency = -1
  }
  expect_failures = [var.reserved_concurrency]
}

run "a_log_level_that_discards_reports_is_rejected" {
  command = plan
  variables {
    log_level = "WARN"
  }
  expect_failures = [var.log_level]
}

run "an_unsupported_log_retention_is_rejected" {
  command = plan
  variables {
    log_retention_days = 91
  }
  expect_failures = [var.log_retention_days]
}

run "a_log_retention_as_long_as_the_default_usage_window_is_rejected" {
  command = plan
  variables {
    log_retention_days = 14
  }
  expect_failures = [var.log_retention_days]
}

run "a_log_retention_shorter_than_the_usage_window_is_rejected" {
  command = plan
  variables {
    log_retention_days = 60
    policy             = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { usage_window_days = 63 } }
  }
  expect_failures = [var.log_retention_days]
}

run "an_unknown_system_log_level_is_rejected" {
  command = plan
  variables {
    system_log_level = "ERROR"
  }
  expect_failures = [var.system_log_level]
}

run "a_cron_schedule_is_rejected" {
  command = plan
  variables {
    sweep_schedule = "cron(0 * * * ? *)"
  }
  expect_failures = [var.sweep_schedule]
}

run "a_plural_unit_for_1_is_rejected" {
  command = plan
  variables {
    sweep_schedule = "rate(1 hours)"
  }
  expect_failures = [var.sweep_schedule]
}

run "a_sweep_every_4_minutes_is_rejected" {
  command = plan
  variables {
    sweep_schedule = "rate(4 minutes)"
  }
  expect_failures = [var.sweep_schedule]
}

run "a_sweep_every_25_hours_is_rejected" {
  command = plan
  variables {
    sweep_schedule = "rate(25 hours)"
  }
  expect_failures = [var.sweep_schedule]
}

run "an_unknown_subscription_protocol_is_rejected" {
  command = plan
  variables {
    subscriptions = [{ protocol = "pigeon", endpoint = "loft" }]
  }
  expect_failures = [var.subscriptions]
}

run "a_blank_subscription_endpoint_is_rejected" {
  command = plan
  variables {
    subscriptions = [{ protocol = "email", endpoint = " " }]
  }
  expect_failures = [var.subscriptions]
}

run "a_duplicate_subscription_is_rejected" {
  command = plan
  variables {
    subscriptions = [{ protocol = "email", endpoint = "a@example.org" }, { protocol = "email", endpoint = "a@example.org" }]
  }
  expect_failures = [var.subscriptions]
}

run "account_defaults_that_allow_imdsv1_are_rejected" {
  command = plan
  variables {
    account_defaults = { http_tokens = "optional" }
  }
  expect_failures = [var.account_defaults]
}

run "a_default_hop_limit_of_65_is_rejected" {
  command = plan
  variables {
    account_defaults = { hop_limit = 65 }
  }
  expect_failures = [var.account_defaults]
}

run "an_unknown_default_for_instance_metadata_tags_is_rejected" {
  command = plan
  variables {
    account_defaults = { instance_metadata_tags = "on" }
  }
  expect_failures = [var.account_defaults]
}

run "a_fractional_archive_retention_is_rejected" {
  command = plan
  variables {
    archive_days = 0.5
  }
  expect_failures = [var.archive_days]
}

run "a_key_in_another_region_is_rejected" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/0e3a5b1c-0000-4000-8000-9d8f70642000"
  }
  expect_failures = [var.kms_key_arn]
}

run "a_key_alias_is_rejected" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:alias/guard"
  }
  expect_failures = [var.kms_key_arn]
}

run "a_permissions_boundary_that_is_not_an_arn_is_rejected" {
  command = plan
  variables {
    permissions_boundary_arn = "boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}
