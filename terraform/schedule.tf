# The scheduled sweep, which finds instances that no event reported.

locals {
  # The source of the event that starts a sweep. Only the schedule's event names no account.
  sweep_source = "imds-enforcer"

  interval = (
    tonumber(regex("[0-9]+", var.sweep_schedule)) *
    { minute = 60, hour = 60 * 60, day = 24 * 60 * 60 }[regex("minute|hour|day", var.sweep_schedule)]
  )
}

resource "aws_scheduler_schedule" "sweep" {
  name                = "${var.name}-sweep"
  description         = "Starts a scan of all instances by ${var.name}"
  schedule_expression = var.sweep_schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.enforcer.arn
    role_arn = aws_iam_role.sweep.arn
    input = jsonencode({
      source      = local.sweep_source
      detail-type = "Sweep"
      detail      = { regions = local.regions }
    })

    retry_policy {
      maximum_event_age_in_seconds = local.interval # until the next sweep
      maximum_retry_attempts       = local.retry.attempts
    }
    dead_letter_config {
      arn = aws_sqs_queue.sweep_failures.arn
    }
  }

  # EventBridge Scheduler verifies that it can assume the role.
  depends_on = [aws_iam_role_policy.sweep]
}

resource "aws_iam_role" "sweep" {
  name                 = "${var.name}-sweep"
  description          = "Lets the schedule invoke the function ${var.name}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "sweep" {
  name = "function"
  role = aws_iam_role.sweep.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = local.arn.function },
        { Effect = "Allow", Action = ["sqs:SendMessage"], Resource = local.arn.sweep_failures },
      ],
      [
        for key in [var.kms_key_arn] :
        { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = key } if key != null
      ],
    )
  })
}
