# Other input that is refused at plan time, beside some that just passes.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip = "./permissions.json" # any file will do for a plan
}

run "the_least_that_is_allowed_passes" {
  command = plan
  variables {
    name                 = "a0"
    regions              = ["us-east-1"]
    excluded_regions     = ["ap-east-1"]
    sweep_only_regions   = ["us-east-1"]
    memory               = 128
    timeout              = 60
    policy               = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { grace_seconds = 6 } }
    reserved_concurrency = 0
    log_level            = "TRACE"
    log_retention_days   = 1
    sweep_schedule       = "rate(5 minutes)"
    archive_days         = 0
    account_defaults     = { hop_limit = 1, instance_metadata_tags = "disabled" }
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.watch) == 0 && aws_cloudwatch_metric_alarm.home["sweep"].period == 300
    error_message = "a region that is swept only, every five minutes"
  }
}

run "the_most_that_is_allowed_passes" {
  command = plan
  variables {
    name                     = "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"
    regions                  = ["ap-southeast-2", "eu-central-1", "eu-west-1", "us-east-1"]
    architecture             = "arm64"
    memory                   = 10240
    timeout                  = 900
    policy                   = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { grace_seconds = 510 } }
    log_level                = "DEBUG"
    log_retention_days       = 3653
    sweep_schedule           = "rate(1 day)"
    subscriptions            = [{ protocol = "email", endpoint = "a@example.org" }, { protocol = "email", endpoint = "b@example.org" }]
    account_defaults         = { hop_limit = 64, instance_metadata_tags = "enabled" }
    permissions_boundary_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
  }

  assert {
    condition     = aws_lambda_function.enforcer.architectures == tolist(["arm64"]) && aws_cloudwatch_metric_alarm.home["sweep"].period == 86400
    error_message = "an ARM function, and a sweep a day"
  }
}

run "a_timeout_that_just_suffices_for_the_grace_passes" {
  command = plan
  variables {
    timeout = 150
  }
}

run "a_sweep_every_24_hours_passes" {
  command = plan
  variables {
    sweep_schedule = "rate(24 hours)"
  }
}

run "regions_of_china_that_cannot_reach_each_other_are_refused" {
  command = plan
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn" }
  }
  expect_failures = [var.sweep_only_regions]
}

run "one_region_of_china_alone_passes" {
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
    error_message = "ARNs are of the partition"
  }
}

run "regions_of_china_that_are_swept_only_pass" {
  command = plan
  variables {
    sweep_only_regions = ["ap-southeast-2", "eu-west-1", "us-east-1"]
  }
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn" }
  }
}

run "no_region_at_all_is_refused" {
  command = plan
  variables {
    regions = []
  }
  expect_failures = [var.regions]
}

run "a_region_twice_is_refused" {
  command = plan
  variables {
    regions = ["us-east-1", "us-east-1"]
  }
  expect_failures = [var.regions]
}

run "an_unknown_region_is_refused" {
  command = plan
  variables {
    regions = ["us-east-9"]
  }
  expect_failures = [var.regions]
}

run "a_region_that_is_not_enabled_is_refused" {
  command = plan
  variables {
    regions = ["ap-east-1"]
  }
  expect_failures = [var.regions]
}

run "the_exclusion_of_an_unknown_region_is_refused" {
  command = plan
  variables {
    excluded_regions = ["us-east-9"]
  }
  expect_failures = [var.excluded_regions]
}

run "the_exclusion_of_a_region_twice_is_refused" {
  command = plan
  variables {
    excluded_regions = ["us-east-1", "us-east-1"]
  }
  expect_failures = [var.excluded_regions]
}

run "the_exclusion_of_every_region_is_refused" {
  command = plan
  variables {
    regions          = ["us-east-1"]
    excluded_regions = ["us-east-1"]
  }
  expect_failures = [var.excluded_regions]
}

run "a_sweep_of_a_region_that_is_not_guarded_is_refused" {
  command = plan
  variables {
    sweep_only_regions = ["ap-east-1"]
  }
  expect_failures = [var.sweep_only_regions]
}

run "a_sweep_of_a_region_twice_is_refused" {
  command = plan
  variables {
    sweep_only_regions = ["us-east-1", "us-east-1"]
  }
  expect_failures = [var.sweep_only_regions]
}

run "a_name_in_capitals_is_refused" {
  command = plan
  variables {
    name = "Guard"
  }
  expect_failures = [var.name]
}

run "a_name_of_41_characters_is_refused" {
  command = plan
  variables {
    name = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx"
  }
  expect_failures = [var.name]
}

run "an_unknown_architecture_is_refused" {
  command = plan
  variables {
    architecture = "riscv64"
  }
  expect_failures = [var.architecture]
}

run "a_zip_that_is_not_there_is_refused" {
  command = plan
  variables {
    zip = "./no-such.zip"
  }
  expect_failures = [aws_lambda_function.enforcer]
}

run "less_memory_than_there_is_is_refused" {
  command = plan
  variables {
    memory = 127
  }
  expect_failures = [var.memory]
}

run "a_timeout_beyond_lambdas_is_refused" {
  command = plan
  variables {
    timeout = 901
  }
  expect_failures = [var.timeout]
}

run "a_timeout_too_short_for_a_sweep_is_refused" {
  command = plan
  variables {
    timeout = 59
  }
  expect_failures = [var.timeout]
}

run "a_timeout_too_short_for_the_grace_is_refused" {
  command = plan
  variables {
    timeout = 149
  }
  expect_failures = [var.timeout]
}

run "less_than_no_concurrency_is_refused" {
  command = plan
  variables {
    reserved_concurrency = -1
  }
  expect_failures = [var.reserved_concurrency]
}

run "a_log_level_that_drops_reports_is_refused" {
  command = plan
  variables {
    log_level = "WARN"
  }
  expect_failures = [var.log_level]
}

run "a_retention_that_cloudwatch_does_not_know_is_refused" {
  command = plan
  variables {
    log_retention_days = 91
  }
  expect_failures = [var.log_retention_days]
}

run "a_schedule_that_is_no_rate_is_refused" {
  command = plan
  variables {
    sweep_schedule = "cron(0 * * * ? *)"
  }
  expect_failures = [var.sweep_schedule]
}

run "a_rate_in_the_wrong_number_is_refused" {
  command = plan
  variables {
    sweep_schedule = "rate(1 hours)"
  }
  expect_failures = [var.sweep_schedule]
}

run "a_sweep_every_4_minutes_is_refused" {
  command = plan
  variables {
    sweep_schedule = "rate(4 minutes)"
  }
  expect_failures = [var.sweep_schedule]
}

run "a_sweep_less_than_daily_is_refused" {
  command = plan
  variables {
    sweep_schedule = "rate(25 hours)"
  }
  expect_failures = [var.sweep_schedule]
}

run "a_subscription_that_sns_does_not_know_is_refused" {
  command = plan
  variables {
    subscriptions = [{ protocol = "pigeon", endpoint = "loft" }]
  }
  expect_failures = [var.subscriptions]
}

run "a_subscription_of_nobody_is_refused" {
  command = plan
  variables {
    subscriptions = [{ protocol = "email", endpoint = " " }]
  }
  expect_failures = [var.subscriptions]
}

run "a_subscription_twice_is_refused" {
  command = plan
  variables {
    subscriptions = [{ protocol = "email", endpoint = "a@example.org" }, { protocol = "email", endpoint = "a@example.org" }]
  }
  expect_failures = [var.subscriptions]
}

run "account_defaults_that_allow_imdsv1_are_refused" {
  command = plan
  variables {
    account_defaults = { http_tokens = "optional" }
  }
  expect_failures = [var.account_defaults]
}

run "account_defaults_of_65_hops_are_refused" {
  command = plan
  variables {
    account_defaults = { hop_limit = 65 }
  }
  expect_failures = [var.account_defaults]
}

run "account_defaults_of_unknown_tags_are_refused" {
  command = plan
  variables {
    account_defaults = { instance_metadata_tags = "on" }
  }
  expect_failures = [var.account_defaults]
}

run "an_archive_of_half_a_day_is_refused" {
  command = plan
  variables {
    archive_days = 0.5
  }
  expect_failures = [var.archive_days]
}

run "a_key_of_another_region_is_refused" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/0e3a5b1c-0000-4000-8000-9d8f70642000"
  }
  expect_failures = [var.kms_key_arn]
}

run "an_alias_of_a_key_is_refused" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:alias/guard"
  }
  expect_failures = [var.kms_key_arn]
}

run "a_boundary_that_is_no_policy_is_refused" {
  command = plan
  variables {
    permissions_boundary_arn = "boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}
