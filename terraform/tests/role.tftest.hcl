# Permissions of the function for each action that a policy can contain.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  zip     = "./permissions.json" # any file is sufficient for a plan
  regions = ["us-east-1", "eu-west-1"]
}

run "a_policy_that_reports_grants_read_access_only_and_denies_weakening_instances" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role_policy.function.policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "Describe"
          Effect    = "Allow"
          Action    = ["ec2:DescribeInstances", "ec2:DescribeRegions", "cloudwatch:GetMetricData"]
          Resource  = ["*"]
          Condition = { StringEquals = { "aws:RequestedRegion" = ["eu-central-1", "eu-west-1", "us-east-1"] } }
        },
        {
          Sid      = "WriteLogs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/imds-enforcer:*"]
        },
        {
          Sid      = "SendResults"
          Effect   = "Allow"
          Action   = ["events:PutEvents"]
          Resource = ["arn:aws:events:eu-central-1:111122223333:event-bus/imds-enforcer"]
        },
        {
          Sid      = "ReadState"
          Effect   = "Allow"
          Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
          Resource = ["arn:aws:dynamodb:eu-central-1:111122223333:table/imds-enforcer"]
        },
        {
          Sid      = "WriteState"
          Effect   = "Allow"
          Action   = ["dynamodb:UpdateItem"]
          Resource = ["arn:aws:dynamodb:eu-central-1:111122223333:table/imds-enforcer"]
          Condition = {
            "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["limit#*", "drift#*", "existing#*", "watch#*", "launcher#*", "lease#*"] }
            Null                      = { "dynamodb:LeadingKeys" = "false" }
          }
        },
        {
          Sid      = "DenyOptionalTokens"
          Effect   = "Deny"
          Action   = ["ec2:ModifyInstanceMetadataOptions"]
          Resource = ["*"]
          Condition = {
            StringNotEquals = { "ec2:Attribute/HttpTokens" = "required" }
            Null            = { "ec2:Attribute/HttpTokens" = "false" }
          }
        },
        {
          Sid      = "DenyEnabledEndpoint"
          Effect   = "Deny"
          Action   = ["ec2:ModifyInstanceMetadataOptions"]
          Resource = ["*"]
          Condition = {
            StringNotEquals = { "ec2:Attribute/HttpEndpoint" = "disabled" }
            Null            = { "ec2:Attribute/HttpEndpoint" = "false" }
          }
        },
      ]
    }
    error_message = "policy: ${aws_iam_role_policy.function.policy}"
  }
}

run "a_policy_that_enforces_grants_changing_options" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "enforce" }
  }

  assert {
    condition = slice(jsondecode(aws_iam_role_policy.function.policy).Statement, 7, length(jsondecode(aws_iam_role_policy.function.policy).Statement)) == [
      {
        Sid       = "Enforce"
        Effect    = "Allow"
        Action    = ["ec2:ModifyInstanceMetadataOptions"]
        Resource  = ["arn:aws:ec2:*:111122223333:instance/*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = ["eu-west-1", "us-east-1"] } }
      },
    ]
    error_message = "policy: ${aws_iam_role_policy.function.policy}"
  }
}

run "a_policy_that_stops_also_grants_enforcing_but_not_terminating" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "stop" }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid == ["Describe", "WriteLogs", "SendResults", "ReadState", "WriteState", "DenyOptionalTokens", "DenyEnabledEndpoint", "Enforce", "Stop", "DescribeSpotRequests"]
    error_message = "statements: ${jsonencode(jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid)}"
  }
  assert {
    condition = slice(jsondecode(aws_iam_role_policy.function.policy).Statement, 8, 10) == [
      {
        Sid       = "Stop"
        Effect    = "Allow"
        Action    = ["ec2:StopInstances"]
        Resource  = ["arn:aws:ec2:*:111122223333:instance/*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = ["eu-west-1", "us-east-1"] } }
      },
      {
        Sid       = "DescribeSpotRequests"
        Effect    = "Allow"
        Action    = ["ec2:DescribeSpotInstanceRequests"]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = ["eu-west-1", "us-east-1"] } }
      },
    ]
    error_message = "policy: ${aws_iam_role_policy.function.policy}"
  }
}

run "a_policy_that_terminates_also_grants_enforcing_but_not_stopping" {
  command = plan
  variables {
    policy = { require = { http_tokens = "required" }, on_violation = "terminate" }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid == ["Describe", "WriteLogs", "SendResults", "ReadState", "WriteState", "DenyOptionalTokens", "DenyEnabledEndpoint", "Enforce", "Terminate", "DescribeSpotRequests"]
    error_message = "statements: ${jsonencode(jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid)}"
  }
  assert {
    condition = slice(jsondecode(aws_iam_role_policy.function.policy).Statement, 8, 10) == [
      {
        Sid       = "Terminate"
        Effect    = "Allow"
        Action    = ["ec2:TerminateInstances"]
        Resource  = ["arn:aws:ec2:*:111122223333:instance/*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = ["eu-west-1", "us-east-1"] } }
      },
      {
        Sid       = "DescribeSpotRequests"
        Effect    = "Allow"
        Action    = ["ec2:DescribeSpotInstanceRequests"]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = ["eu-west-1", "us-east-1"] } }
      },
    ]
    error_message = "policy: ${aws_iam_role_policy.function.policy}"
  }
}

run "the_action_of_a_rule_is_granted" {
  command = plan
  variables {
    policy = {
      require      = { http_tokens = "required" }
      on_violation = "report"
      rules        = [{ name = "sandboxes", when = { tags = { stage = ["sandbox"] } }, action = "terminate" }]
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid == ["Describe", "WriteLogs", "SendResults", "ReadState", "WriteState", "DenyOptionalTokens", "DenyEnabledEndpoint", "Enforce", "Terminate", "DescribeSpotRequests"]
    error_message = "statements: ${jsonencode(jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid)}"
  }
}

run "the_actions_for_existing_instances_are_granted" {
  command = plan
  variables {
    policy = {
      require      = { http_tokens = "required" }
      on_violation = "report"
      existing     = { in_use = "report", unknown = "enforce" }
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid == ["Describe", "WriteLogs", "SendResults", "ReadState", "WriteState", "DenyOptionalTokens", "DenyEnabledEndpoint", "Enforce"]
    error_message = "statements: ${jsonencode(jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid)}"
  }
}

run "an_exemption_grants_nothing" {
  command = plan
  variables {
    policy = {
      require      = { http_tokens = "required" }
      on_violation = "report"
      rules        = [{ name = "legacy", when = { tags = { app = ["scanner"] } }, action = "exempt" }]
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid == ["Describe", "WriteLogs", "SendResults", "ReadState", "WriteState", "DenyOptionalTokens", "DenyEnabledEndpoint"]
    error_message = "statements: ${jsonencode(jsondecode(aws_iam_role_policy.function.policy).Statement[*].Sid)}"
  }
}

run "the_schedule_can_invoke_the_function_and_send_failures_to_the_queue" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role_policy.sweep.policy) == {
      Version = "2012-10-17"
      Statement = [
        { Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = "arn:aws:lambda:eu-central-1:111122223333:function:imds-enforcer" },
        { Effect = "Allow", Action = ["sqs:SendMessage"], Resource = "arn:aws:sqs:eu-central-1:111122223333:imds-enforcer-sweep-failures" },
      ]
    }
    error_message = "policy: ${aws_iam_role_policy.sweep.policy}"
  }
  assert {
    condition = jsondecode(aws_scheduler_schedule.sweep.target[0].input) == {
      source      = "imds-enforcer"
      detail-type = "Sweep"
      detail      = { regions = ["eu-west-1", "us-east-1"] }
    }
    error_message = "input: ${aws_scheduler_schedule.sweep.target[0].input}"
  }
}

run "each_role_trusts_only_its_service" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.function.assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "lambda.amazonaws.com" }
        Condition = { StringEquals = { "aws:SourceAccount" = "111122223333" } }
      }]
    }
    error_message = "assume_role_policy: ${aws_iam_role.function.assume_role_policy}"
  }
  assert {
    condition = jsondecode(aws_iam_role.sweep.assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "scheduler.amazonaws.com" }
        Condition = { StringEquals = { "aws:SourceAccount" = "111122223333" } }
      }]
    }
    error_message = "assume_role_policy: ${aws_iam_role.sweep.assume_role_policy}"
  }
}
