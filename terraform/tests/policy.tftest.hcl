# Policies that are refused at plan time, beside some that just pass.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip     = "./permissions.json" # any file will do for a plan
  regions = ["us-east-1"]
}

run "the_least_that_is_allowed_passes" {
  command = plan
  variables {
    policy = {
      require      = { hop_limit = { at_least = 1, at_most = 1 } }
      on_violation = "report"
      rules = [
        { name = "a", when = { auto_scaling = false }, then = "exempt", until = "2028-02-29" },
        { name = "b", when = { tags = { k = ["?"] } }, require = { instance_metadata_tags = "disabled" } },
      ]
      limits   = { terminations_per_hour = 0, grace_seconds = 0 }
      existing = { usage_window_days = 1, in_use = "report", unknown = "report" }
    }
  }

  assert {
    condition = jsondecode(output.policy) == {
      require      = { hop_limit = { at_least = 1, at_most = 1 } }
      on_violation = "report"
      rules = [
        { name = "a", when = { auto_scaling = false }, then = "exempt", until = "2028-02-29" },
        { name = "b", when = { tags = { k = ["?"] } }, require = { instance_metadata_tags = "disabled" } },
      ]
      limits   = { terminations_per_hour = 0, grace_seconds = 0 }
      existing = { usage_window_days = 1, in_use = "report", unknown = "report" }
    }
    error_message = "policy is ${output.policy}"
  }
}

run "the_most_that_is_allowed_passes" {
  command = plan
  variables {
    timeout = 900
    policy = {
      require = {
        http_tokens            = "required"
        hop_limit              = { at_least = 64, at_most = 64 }
        http_endpoint          = "enabled"
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
          then    = "stop"
          require = { hop_limit = { at_least = 2 } }
          because = "vendor ticket 4711"
        },
      ]
      limits   = { terminations_per_hour = 100000, grace_seconds = 510, mends_per_hour = 1000 }
      existing = { usage_window_days = 63, in_use = "stop", unknown = "terminate", watch_days = 63 }
    }
  }

  assert {
    condition     = jsondecode(output.policy).rules[0].when.principals == ["arn:aws:iam::*:role/deploy", "autoscaling.amazonaws.com", "*/ada"]
    error_message = "policy is ${output.policy}"
  }
}

# Lambda takes 4096 bytes of variables, of which the name `IMDS_POLICY` takes 11.
run "a_policy_of_4085_bytes_passes" {
  command = plan
  variables {
    policy = {
      require      = { http_tokens = "required" }
      on_violation = "enforce"
      rules = [
        { name = "long", when = { regions = ["us-*"] }, then = "report", because = format("%03808s", "ü") },
      ]
    }
  }

  assert {
    condition     = length(base64encode(output.policy)) / 4 * 3 - length(regexall("=", base64encode(output.policy))) == 4085
    error_message = "policy has ${length(base64encode(output.policy)) / 4 * 3 - length(regexall("=", base64encode(output.policy)))} bytes"
  }
}

run "a_policy_of_4086_bytes_is_refused" {
  command = plan
  variables {
    policy = {
      require      = { http_tokens = "required" }
      on_violation = "enforce"
      rules = [
        { name = "long", when = { regions = ["us-*"] }, then = "report", because = format("%03809s", "ü") },
      ]
    }
  }
  expect_failures = [aws_lambda_function.enforcer]
}

run "a_policy_that_requires_nothing_is_refused" {
  command = plan
  variables {
    policy = { require = {}, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_rule_that_requires_nothing_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "kubernetes", when = { tags = { k8s = ["*"] } }, require = {} }] }
  }
  expect_failures = [var.policy]
}

run "tokens_that_are_optional_are_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "optional" }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "tokens_that_are_empty_are_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "" }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "an_option_that_is_neither_enabled_nor_disabled_is_refused" {
  command = plan
  variables {
    policy = { require = { instance_metadata_tags = "off" }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_of_65_is_refused" {
  command = plan
  variables {
    policy = { require = { hop_limit = { at_most = 65 } }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_of_0_is_refused" {
  command = plan
  variables {
    policy = { require = { hop_limit = { at_least = 0 } }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_between_two_numbers_is_refused" {
  command = plan
  variables {
    policy = { require = { hop_limit = { at_most = 1.5 } }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_that_says_nothing_is_refused" {
  command = plan
  variables {
    policy = { require = { hop_limit = {} }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_whose_least_is_more_than_its_most_is_refused" {
  command = plan
  variables {
    policy = { require = { hop_limit = { at_least = 3, at_most = 2 } }, on_violation = "enforce" }
  }
  expect_failures = [var.policy]
}

run "a_hop_limit_of_65_in_a_rule_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "kubernetes", when = { tags = { k8s = ["*"] } }, require = { hop_limit = { at_most = 65 } } }] }
  }
  expect_failures = [var.policy]
}

run "an_unknown_action_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforc" }
  }
  expect_failures = [var.policy]
}

run "an_exemption_of_everything_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "exempt" }
  }
  expect_failures = [var.policy]
}

run "an_unknown_action_for_existing_instances_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { in_use = "warn" } }
  }
  expect_failures = [var.policy]
}

run "an_exemption_of_existing_instances_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { unknown = "exempt" } }
  }
  expect_failures = [var.policy]
}

run "a_usage_window_of_no_day_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { usage_window_days = 0 } }
  }
  expect_failures = [var.policy]
}

run "a_usage_window_longer_than_cloudwatch_remembers_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { usage_window_days = 64 } }
  }
  expect_failures = [var.policy]
}

run "less_than_no_terminations_are_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { terminations_per_hour = -1 } }
  }
  expect_failures = [var.policy]
}

run "half_a_termination_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { terminations_per_hour = 0.5 } }
  }
  expect_failures = [var.policy]
}

run "a_grace_that_lambda_cannot_wait_for_is_refused" {
  command = plan
  variables {
    timeout = 900
    policy  = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { grace_seconds = 511 } }
  }
  expect_failures = [var.policy]
}

run "a_rule_without_a_name_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = " ", when = { regions = ["us-*"] }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "two_rules_of_one_name_are_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, then = "report" }, { name = "a", when = { regions = ["eu-*"] }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_rule_without_a_condition_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = {}, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_condition_that_nothing_meets_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = [] }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_empty_text_in_a_condition_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { tags = { app = [""] } }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_condition_of_no_tags_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { tags = {} }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_tag_without_a_key_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { tags = { "" = ["x"] } }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_wildcard_in_an_account_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { accounts = ["1111*"] }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_region_in_capitals_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["EU-WEST-1"] }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_image_by_its_name_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { images = ["al2023"] }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_instance_type_with_a_blank_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { instance_types = ["m7g large"] }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_principal_that_is_no_arn_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { principals = ["ada"] }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "a_launch_template_by_its_name_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { launch_templates = ["workers"] }, then = "report" }] }
  }
  expect_failures = [var.policy]
}

run "an_unknown_action_of_a_rule_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, then = "kill" }] }
  }
  expect_failures = [var.policy]
}

run "a_rule_that_says_nothing_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] } }] }
  }
  expect_failures = [var.policy]
}

run "an_exemption_that_requires_something_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, then = "exempt", require = { http_tokens = "required" } }] }
  }
  expect_failures = [var.policy]
}

run "an_end_of_what_is_no_exemption_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, then = "report", until = "2027-03-31" }] }
  }
  expect_failures = [var.policy]
}

run "an_exemption_until_no_day_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, then = "exempt", until = "2027-02-30" }] }
  }
  expect_failures = [var.policy]
}

run "a_blank_reason_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, then = "report", because = " " }] }
  }
  expect_failures = [var.policy]
}

run "no_mend_at_all_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", limits = { mends_per_hour = 0 } }
  }
  expect_failures = [var.policy]
}

run "a_watch_longer_than_cloudwatch_remembers_is_refused" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", existing = { watch_days = 64 } }
  }
  expect_failures = [var.policy]
}

run "ending_what_is_replaced_is_refused_where_nothing_ends" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce", rules = [{ name = "a", when = { regions = ["us-*"] }, then = "enforce", even_if_replaced = true }] }
  }
  expect_failures = [var.policy]
}
