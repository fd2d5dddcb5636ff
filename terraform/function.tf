# The Lambda function, its log group, and the queues for events that it failed to process.

locals {
  zip = coalesce(var.zip, "${path.module}/../dist/enforcer-${var.architecture}.zip")

  settings = {
    # The function recognizes its own changes by the role.
    IMDS_ROLE_ARN    = local.arn.role
    IMDS_STATE_TABLE = var.name
  }
  with_policy = merge(local.settings, { IMDS_POLICY = local.policy })

  # Lambda limits all variables together to 4 KB, as JSON. `length` returns characters, which `base64encode` turns to bytes.
  policy_fits = length(base64encode(jsonencode(local.with_policy))) / 4 * 3 <= 4096
  policy_hash = sha256(local.policy)
  variables   = local.policy_fits ? local.with_policy : merge(local.settings, { IMDS_POLICY_SHA256 = local.policy_hash })

  # A DynamoDB item can have 400 KB, including the names of its attributes.
  policy_bytes   = length(base64encode(local.policy)) / 4 * 3
  largest_policy = 390000
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
    system_log_level      = var.system_log_level
    log_group             = aws_cloudwatch_log_group.function.name
  }

  # At its start, the function reads the policy and writes to the log group.
  depends_on = [aws_iam_role_policy.function, aws_dynamodb_table.state, aws_dynamodb_table_item.policy]

  lifecycle {
    precondition {
      condition     = fileexists(local.zip)
      error_message = "zip: the file `${local.zip}` does not exist. To create it, run `make build${var.architecture == "arm64" ? " ARCH=arm64" : ""}`."
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
  skip_destroy      = var.log_skip_destroy
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sqs_queue" "on_failure" {
  name                      = "${var.name}-on-failure"
  message_retention_seconds = local.queue_retention
  max_message_size          = var.max_message_size
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}

# Separate, because the next sweep is the retry of a sweep, but nothing repeats a launch.
resource "aws_sqs_queue" "sweep_failures" {
  name                      = "${var.name}-sweep-failures"
  message_retention_seconds = local.queue_retention
  max_message_size          = var.max_message_size
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}

locals {
  # Queues for the events that the function failed to process, by the source of the event.
  failures = {
    on-failure = {
      description = "Sends the events that ${var.name} failed to process to a queue"
      queue       = aws_sqs_queue.on_failure
      arn         = local.arn.on_failure
      # `anything-but` alone does not match events without a source.
      source = [{ anything-but = [local.sweep_source] }, { exists = false }]
    }
    sweep-failures = {
      description = "Sends the sweeps in which ${var.name} failed to a queue"
      queue       = aws_sqs_queue.sweep_failures
      arn         = local.arn.sweep_failures
      source      = [local.sweep_source]
    }
  }
}

resource "aws_cloudwatch_event_rule" "failures" {
  for_each       = local.failures
  name           = "${var.name}-${each.key}"
  description    = each.value.description
  event_bus_name = aws_cloudwatch_event_bus.home.name
  tags           = var.tags
  event_pattern = jsonencode({
    source      = ["lambda"]
    account     = [local.account]
    detail-type = ["Lambda Function Invocation Result - Failure"]
    detail = {
      requestContext = { functionArn = local.this_function }
      requestPayload = { source = each.value.source }
    }
  })
}

# The queues hold the original events, for a redrive.
resource "aws_cloudwatch_event_target" "failures" {
  for_each       = local.failures
  rule           = aws_cloudwatch_event_rule.failures[each.key].name
  event_bus_name = aws_cloudwatch_event_bus.home.name
  target_id      = "queue"
  arn            = each.value.queue.arn
  input_path     = "$.detail.requestPayload"

  retry_policy {
    maximum_event_age_in_seconds = local.retry.age
    maximum_retry_attempts       = local.retry.attempts
  }
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters[local.home].arn
  }
}

resource "aws_sqs_queue_policy" "failures" {
  for_each  = local.failures
  queue_url = each.value.queue.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "FailedEvents"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = each.value.arn
      Condition = { ArnEquals = { "aws:SourceArn" = [
        "arn:${local.partition}:events:${local.home}:${local.account}:rule/${var.name}/${var.name}-${each.key}",
      ] } }
    }]
  })
}
