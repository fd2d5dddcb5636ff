# Validation of the variable `policy`.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip     = "./permissions.json" # any file is sufficient for a plan
  regions = ["us-east-1"]
}

run "minimum_values_are_accepted" {
  command = plan
  variables {
    policy = {
      require      = { hop_limit = { at_least = 1, at_most = 1 } }
      on_violation = "report"
      rules = [
        { name = "a", when = { auto_scaling = false }, action = "exempt", expires = "2028-02-29" },
        { name = "b", when = { tags = { k = ["?"] } }, require = { instance_metadata_tags = "disabled" } },
      ]
      new_instances = { grace_seconds = 0 }
      existing      = { usage_window_days = 1, in_use = "report", unknown = "report" }
      limits        = { disruptions_per_hour = 0 }
    }
  }

  assert {
    condition = jsondecode(output.policy) == {
      version      = 1
      require      = { hop_limit = { at_least = 1, at_most = 1 } }
      on_violation = "report"
      rules = [
        { name = "a", when = { auto_scaling = false }, action = "exempt", expires = "2028-02-29" },
        { name = "b", when = { tags = { k = ["?"] } }, require = { instance_metadata_tags = "disabled" } },
      ]
      new_instances = { grace_seconds = 0 }
      existing      = { usage_window_days = 1, in_use = "report", unknown = "report" }
      limits        = { disruptions_per_hour = 0 }
    }
    error_message = "policy: ${output.policy}"
  }
}

run "maximum_values_are_accepted" {
  command = plan
  variables {
    timeout = 900
    policy = {
      require = {
        http_tokens            = "required"
        hop_limit              = { at_least = 64, at_most = 64 }
        http_endpoint          = "disabled"
        http_protocol_ipv6     = "disabled"
        instance_metadata_tags = "enabled"
      }
      on_violation = "terminate"
      rules = [
        {
          name = "all conditions"
          when = {
            accounts         = ["111122223333"]
            regions          = ["eu-*", "us-east-?"]
            tags             = { "*" = ["*"] }
            images           = ["ami-0123456789abcdef0", "*"]
            instance_types   = ["m7g.*"]
            principals       = ["arn:aws:iam::*:role/deploy", "autoscaling.amazonaws.com", "*/ada"]
            auto_scaling     = true
            launch_templates = ["lt-0123456789abcdef0", "?*"]
          }
          action  = "stop"
          require = { hop_limit = { at_least = 2 } }
          reason  = "vendor ticket 4711"
        },
      ]
      new_instances = { grace_seconds = 510 }
      existing      = { usage_window_days = 63, usage_data_hours = 168, in_use = "enforce", unknown = "enforce", watch_days = 63, stop_when_rejected = false }
      limits        = { disruptions_per_hour = 1000, enforcements_per_hour = 1000, existing_per_hour = 10000 }
    }
  }

  assert {
    condition     = jsondecode(output.policy).rules[0].when.principals == ["arn:aws:iam::*:role/deploy", "autoscaling.amazonaws.com", "*/ada"]
    error_message = "policy: ${output.policy}"
  }
}

run "fields_that_are_left_out_or_null_have_the_defaults_of_the_function" {
  command = plan
  variables {
    policy = {
      require       = { http_tokens = "required", hop_limit = { at_most = 2, at_least = null }, http_endpoint = null }
      on_violation  = "enforce"
      rules         = [{ name = "a", when = { regions = ["us-*"], images = null }, require = null, action = "report", reason = null }]
      new_instances = { grace_seconds = null }
      existing      = { watch_days = 7, in_use = null }
      limits        = null
    }
  }

  assert {
    condition = output.policy == jsonencode({
      version       = 1
      require       = { http_tokens = "required", hop_limit = { at_most = 2 } }
      on_violation  = "enforce"
      rules         = [{ name = "a", when = { regions = ["us-*"] }, action = "report" }]
      new_instances = {}
      existing      = { watch_days = 7 }
    })
    error_message = "policy: ${output.policy}"
  }
}

run "null_means_no_limit_on_existing_instances" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { existing_per_hour = null, disruptions_per_hour = null } }
  }

  assert {
    condition     = output.policy == jsonencode({ version = 1, require = { http_tokens = "required" }, on_violation = "enforce", limits = { existing_per_hour = null } })
    error_message = "policy: ${output.policy}"
  }
}

run "a_policy_document_is_accepted_as_it_is" {
  command = plan
  variables {
    policy = {
      "$schema"    = "../policy.schema.json"
      version      = 1
      require      = { http_tokens = "required" }
      on_violation = "report"
      rules        = [{ name = "a", when = { regions = "us-*", tags = { app = "x", stage = ["y", "z"] } }, action = "enforce" }]
    }
  }

  assert {
    condition = output.policy == jsonencode({
      version      = 1
      require      = { http_tokens = "required" }
      on_violation = "report"
      rules        = [{ name = "a", when = { regions = "us-*", tags = { app = "x", stage = ["y", "z"] } }, action = "enforce" }]
    })
    error_message = "policy: ${output.policy}"
  }
}

# Lambda limits the variables to 4096 bytes; the module counts in steps of three.
run "a_policy_that_fits_is_in_a_variable" {
  command = plan
  variables {
    policy = {
      require      = { http_tokens = "required" }
      on_violation = "enforce"
      rules        = [{ name = "long", when = { regions = ["us-*"] }, action = "report", reason = format("%03778s", "ü") }]
    }
  }

  assert {
    condition     = length(aws_dynamodb_table_item.policy) == 0 && aws_lambda_function.enforcer.environment[0].variables.IMDS_POLICY == output.policy
    error_message = "variables: ${jsonencode(aws_lambda_function.enforcer.environment[0].variables)}"
  }
  assert {
    condition     = length(base64encode(jsonencode(aws_lambda_function.enforcer.environment[0].variables))) / 4 * 3 == 4095
    error_message = "bytes: ${length(base64encode(jsonencode(aws_lambda_function.enforcer.environment[0].variables))) / 4 * 3}"
  }
}

run "a_policy_that_does_not_fit_is_in_the_state_table" {
  command = plan
  variables {
    policy = {
      require      = { http_tokens = "required" }
      on_violation = "enforce"
      rules        = [{ name = "long", when = { regions = ["us-*"] }, action = "report", reason = format("%03779s", "ü") }]
    }
  }

  assert {
    condition = aws_lambda_function.enforcer.environment[0].variables == tomap({
      IMDS_ROLE_ARN      = "arn:aws:iam::111122223333:role/imds-enforcer-function"
      IMDS_STATE_TABLE   = "imds-enforcer"
      IMDS_POLICY_SHA256 = sha256(output.policy)
    })
    error_message = "variables: ${jsonencode(aws_lambda_function.enforcer.environment[0].variables)}"
  }
  assert {
    condition = { for hash, item in aws_dynamodb_table_item.policy : hash => jsondecode(item.item) } == {
      (sha256(output.policy)) = { key = { S = "policy#${sha256(output.policy)}" }, document = { S = output.policy } }
    }
    error_message = "items: ${jsonencode([for item in aws_dynamodb_table_item.policy : item.item])}"
  }
}

run "a_policy_of_390000_bytes_is_accepted" {
  command = plan
  variables {
    policy = {
      require      = { http_tokens = "required" }
      on_violation = "enforce"
      rules        = [{ name = "long", when = { regions = ["us-*"] }, action = "report", reason = format("%0389841s", "x") }]
    }
  }

  assert {
    condition     = length(output.policy) == 390000
    error_message = "bytes: ${length(output.policy)}"
  }
}

run "a_policy_of_390001_bytes_is_rejected" {
  command = plan
  variables {
    policy = {
      require      = { http_tokens = "required" }
      on_violation = "enforce"
      rules        = [{ name = "long", when = { regions = ["us-*"] }, action = "report", reason = format("%0389842s", "x") }]
    }
  }
  expect_failures = [aws_dynamodb_table_item.policy]
}

run "an_unknown_field_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", exceptions = [] }
  }
  expect_failures = [var.policy]
}

run "an_unknown_field_that_is_null_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", exceptions = null }
  }
  expect_failures = [var.policy]
}

run "an_unknown_field_in_require_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required", tokens = "required" }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "an_unknown_field_in_hop_limit_is_rejected" {
  command = plan
  variables {
    policy = { require = { hop_limit = { at_most = 2, exactly = 2 } }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "an_unknown_field_in_a_rule_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, action = "exempt", expire = "2027-03-31" }] }
  }
  expect_failures = [var.policy]
}

run "an_unknown_condition_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"], tag = { app = ["x"] } }, action = "exempt" }] }
  }
  expect_failures = [var.policy]
}

run "an_unknown_field_in_the_require_of_a_rule_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, require = { http_tokens = "required", hops = 2 } }] }
  }
  expect_failures = [var.policy]
}

run "an_unknown_field_in_the_hop_limit_of_a_rule_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, require = { hop_limit = { at_most = 2, max = 2 } } }] }
  }
  expect_failures = [var.policy]
}

run "an_unknown_field_in_new_instances_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", new_instances = { grace = 60 } }
  }
  expect_failures = [var.policy]
}

run "an_unknown_field_in_existing_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { window = 14 } }
  }
  expect_failures = [var.policy]
}

run "an_unknown_limit_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { terminations_per_hour = 3 } }
  }
  expect_failures = [var.policy]
}

run "a_policy_that_is_not_an_object_is_rejected" {
  command = plan
  variables {
    policy = "enforce"
  }
  expect_failures = [var.policy]
}

run "a_policy_without_require_is_rejected" {
  command = plan
  variables {
    policy = { on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_policy_without_on_violation_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" } }
  }
  expect_failures = [var.policy]
}

run "another_version_is_rejected" {
  command = plan
  variables {
    policy = { version = 2, require = { http_tokens = "required" }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "rules_that_are_not_a_list_are_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = { name = "a", when = { regions = ["us-*"] }, action = "report" } }
  }
  expect_failures = [var.policy]
}

run "a_rule_that_is_null_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [null] }
  }
  expect_failures = [var.policy]
}

run "a_rule_without_when_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_number_in_a_string_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { usage_window_days = "30" } }
  }
  expect_failures = [var.policy]
}

run "a_boolean_in_a_string_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { auto_scaling = "true" }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_object_for_a_list_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = { us = "us-*" } }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "more_than_1000_disruptions_per_hour_are_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { disruptions_per_hour = 1001 } }
  }
  expect_failures = [var.policy]
}

run "more_than_10000_existing_instances_per_hour_are_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { existing_per_hour = 10001 } }
  }
  expect_failures = [var.policy]
}

run "a_policy_that_requires_nothing_is_rejected" {
  command = plan
  variables {
    policy = { require = {}, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_policy_that_enables_endpoints_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_endpoint = "enabled" }, on_violation = "report" }
  }
  expect_failures = [var.policy]
}

run "a_rule_that_requires_nothing_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "kubernetes", when = { tags = { k8s = ["*"] } }, require = {} }] }
  }
  expect_failures = [var.policy]
}

run "optional_tokens_are_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "optional" }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "an_empty_value_for_http_tokens_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "" }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "an_unknown_value_of_an_option_is_rejected" {
  command = plan
  variables {
    policy = { require = { instance_metadata_tags = "off" }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_of_65_is_rejected" {
  command = plan
  variables {
    policy = { require = { hop_limit = { at_most = 65 } }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_of_0_is_rejected" {
  command = plan
  variables {
    policy = { require = { hop_limit = { at_least = 0 } }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_fractional_hop_limit_is_rejected" {
  command = plan
  variables {
    policy = { require = { hop_limit = { at_most = 1.5 } }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "an_empty_hop_limit_is_rejected" {
  command = plan
  variables {
    policy = { require = { hop_limit = {} }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_with_at_least_above_at_most_is_rejected" {
  command = plan
  variables {
    policy = { require = { hop_limit = { at_least = 3, at_most = 2 } }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_of_65_in_a_rule_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "kubernetes", when = { tags = { k8s = ["*"] } }, require = { hop_limit = { at_most = 65 } } }] }
  }
  expect_failures = [var.policy]
}

run "an_unknown_action_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforc" }
  }
  expect_failures = [var.policy]
}

run "exempting_all_instances_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "exempt" }
  }
  expect_failures = [var.policy]
}

run "an_unknown_action_for_existing_instances_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { in_use = "warn" } }
  }
  expect_failures = [var.policy]
}

run "exempting_existing_instances_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { unknown = "exempt" } }
  }
  expect_failures = [var.policy]
}

run "a_usage_window_of_0_days_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { usage_window_days = 0 } }
  }
  expect_failures = [var.policy]
}

run "a_usage_window_beyond_cloudwatch_retention_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { usage_window_days = 64 } }
  }
  expect_failures = [var.policy]
}

run "a_negative_disruption_limit_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { disruptions_per_hour = -1 } }
  }
  expect_failures = [var.policy]
}

run "a_fractional_disruption_limit_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { disruptions_per_hour = 0.5 } }
  }
  expect_failures = [var.policy]
}

run "existing_instances_that_are_terminated_are_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { unknown = "terminate" } }
  }
  expect_failures = [var.policy]
}

run "recent_instances_in_use_that_are_stopped_are_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", new_instances = { in_use = "stop" } }
  }
  expect_failures = [var.policy]
}

run "more_hours_of_data_than_the_window_has_are_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { usage_window_days = 1, usage_data_hours = 25 } }
  }
  expect_failures = [var.policy]
}

run "a_grace_period_as_long_as_instances_are_new_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", new_instances = { disrupt_within_minutes = 2, grace_seconds = 61 } }
  }
  expect_failures = [var.policy]
}

run "an_age_for_disruptions_of_more_than_an_hour_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", new_instances = { disrupt_within_minutes = 61 } }
  }
  expect_failures = [var.policy]
}

run "an_age_for_enforcement_of_more_than_a_week_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", new_instances = { enforce_within_hours = 169 } }
  }
  expect_failures = [var.policy]
}

run "an_enforcement_grace_period_beyond_the_lambda_timeout_is_rejected" {
  command = plan
  variables {
    timeout = 900
    policy  = { require = { http_tokens = "required" }, on_violation = "enforce", new_instances = { enforce_grace_seconds = 511 } }
  }
  expect_failures = [var.policy]
}

run "a_grace_period_beyond_the_lambda_timeout_is_rejected" {
  command = plan
  variables {
    timeout = 900
    policy  = { require = { http_tokens = "required" }, on_violation = "enforce", new_instances = { grace_seconds = 511 } }
  }
  expect_failures = [var.policy]
}

run "a_rule_without_a_name_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = " ", when = { regions = ["us-*"] }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_duplicate_rule_name_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, action = "report" }, { name = "a", when = { regions = ["eu-*"] }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_rule_without_a_condition_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = {}, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_empty_list_in_a_condition_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = [] }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_empty_string_in_a_condition_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { tags = { app = [""] } }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_condition_with_no_tags_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { tags = {} }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_empty_tag_key_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { tags = { "" = ["x"] } }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_wildcard_in_an_account_id_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { accounts = ["1111*"] }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_uppercase_region_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["EU-WEST-1"] }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_image_name_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { images = ["al2023"] }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_instance_type_with_a_space_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { instance_types = ["m7g large"] }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_user_name_as_principal_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { principals = ["ada"] }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_launch_template_name_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { launch_templates = ["workers"] }, action = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_unknown_action_in_a_rule_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, action = "kill" }] }
  }
  expect_failures = [var.policy]
}

run "a_rule_without_action_and_require_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] } }] }
  }
  expect_failures = [var.policy]
}

run "an_exemption_that_requires_something_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, action = "exempt", require = { http_tokens = "required" } }] }
  }
  expect_failures = [var.policy]
}

run "an_expiry_without_an_exemption_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, action = "report", expires = "2027-03-31" }] }
  }
  expect_failures = [var.policy]
}

run "an_expiry_that_is_not_a_date_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, action = "exempt", expires = "2027-02-30" }] }
  }
  expect_failures = [var.policy]
}

run "a_blank_reason_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, action = "report", reason = " " }] }
  }
  expect_failures = [var.policy]
}

run "an_enforcement_limit_of_0_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { enforcements_per_hour = 0 } }
  }
  expect_failures = [var.policy]
}

run "watch_days_beyond_cloudwatch_retention_are_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { watch_days = 64 } }
  }
  expect_failures = [var.policy]
}

run "even_if_replaced_without_a_disruption_is_rejected" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, action = "enforce", even_if_replaced = true }] }
  }
  expect_failures = [var.policy]
}
