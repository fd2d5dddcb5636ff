# The Lambda function, its log group, and the queue for events that it failed to process.

locals {
  zip = coalesce(var.zip, "${path.module}/../dist/enforcer-${var.architecture}.zip")

  variables = {
    IMDS_POLICY = local.policy
    # The function recognizes its own changes by the role.
    IMDS_ROLE_ARN = local.arn.role
  }
  # Lambda limits the size of all names and values in bytes.
  largest_policy = 4096 - length(join("", keys(local.variables))) - length(local.arn.role)
}

resource "aws_lambda_function" "enforcer" {
  function_name = var.name
  description   = "Enforces a metadata options policy (IMDSv2) on EC2 instances"
  role          = aws_iam_role.function.arn

  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]
  filename      = local.zip
  # If the file does not exist, the precondition below fails.
  source_code_hash = fileexists(local.zip) ? filebase64sha256(local.zip) : null

  memory_size                    = var.memory
  timeout                        = var.timeout
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = var.kms_key_arn
  tags                           = var.tags

  environment {
    variables = local.variables
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    log_group             = aws_cloudwatch_log_group.function.name
  }

  # Holds the original events for a redrive. Lambda sends them directly, not through the home bus, so that a problem with
  # the bus cannot lose both the event and the notification.
  dead_letter_config {
    target_arn = aws_sqs_queue.on_failure.arn
  }

  # Lambda verifies that the role can write to the queue.
  depends_on = [aws_iam_role_policy.function]

  lifecycle {
    precondition {
      condition     = fileexists(local.zip)
      error_message = "zip: the file `${local.zip}` does not exist. To create it, run `make build${var.architecture == "arm64" ? " ARCH=arm64" : ""}`."
    }
    precondition {
      condition     = local.policy_bytes <= local.largest_policy
      error_message = "policy: the JSON document must not exceed ${local.largest_policy} bytes, but it has ${local.policy_bytes}. Merge rules that differ in only one list, use wildcards, shorten `name` and `reason`, or exempt instances by one tag instead of many IDs."
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "enforcer" {
  function_name = aws_lambda_function.enforcer.function_name
  # Lambda retries throttled events for this long. It retries failed events after about one and two minutes.
  maximum_event_age_in_seconds = 6 * 60 * 60
  maximum_retry_attempts       = 2

  destination_config {
    on_success {
      destination = aws_cloudwatch_event_bus.home.arn
    }
    on_failure {
      destination = aws_cloudwatch_event_bus.home.arn
    }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sqs_queue" "on_failure" {
  name                      = "${var.name}-on-failure"
  message_retention_seconds = 14 * 24 * 60 * 60 # the maximum
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}
