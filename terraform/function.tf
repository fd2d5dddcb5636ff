# The function: what it runs, what it may do with its time, and where its logs go.

locals {
  zip = coalesce(var.zip, "${path.module}/../dist/enforcer-${var.architecture}.zip")
}

resource "aws_lambda_function" "enforcer" {
  # It is also the name of the role's sessions, by which the function knows its own changes.
  function_name = var.name
  description   = "Sees to it that no EC2 instance answers IMDSv1"
  role          = aws_iam_role.function.arn

  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]
  filename      = local.zip
  # Without a zip the precondition below speaks.
  source_code_hash = fileexists(local.zip) ? filebase64sha256(local.zip) : null

  memory_size                    = var.memory
  timeout                        = var.timeout
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = var.kms_key_arn
  tags                           = var.tags

  environment {
    variables = { IMDS_POLICY = local.policy }
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    log_group             = aws_cloudwatch_log_group.function.name
  }

  # What failed for good lies here as it came, ready to be handed over again. It comes straight from Lambda, beside the
  # result that goes over the home bus: with a bus and a rule in between, one fault could lose both.
  dead_letter_config {
    target_arn = aws_sqs_queue.on_failure.arn
  }

  # Lambda checks that the role may write to the queue.
  depends_on = [aws_iam_role_policy.function]

  lifecycle {
    precondition {
      condition     = fileexists(local.zip)
      error_message = "zip: there is no `${local.zip}`: expected the function's zip; `make build${var.architecture == "arm64" ? " ARCH=arm64" : ""}` makes it."
    }
    precondition {
      condition     = local.variables_bytes <= 4096
      error_message = "policy: as JSON it takes ${local.variables_bytes - length("IMDS_POLICY")} bytes, and Lambda takes ${4096 - length("IMDS_POLICY")}: expected a shorter one. Join rules that differ in a single list, use wildcards, shorten `name` and `because`, or exempt by one tag instead of many ids."
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "enforcer" {
  function_name = aws_lambda_function.enforcer.function_name
  # Throttled events wait this long; failed ones are tried after about one minute and two more.
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
  message_retention_seconds = 14 * 24 * 60 * 60 # the longest there is
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}
