# The event bus in the home Region, and the rule that sends its events to the function.

resource "aws_cloudwatch_event_bus" "home" {
  name = var.name
  tags = var.tags
}

resource "aws_cloudwatch_event_bus_policy" "home" {
  event_bus_name = aws_cloudwatch_event_bus.home.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ThisAccount"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "events:PutEvents"
        Resource  = local.arn.bus
      },
      {
        # Results are recognized by their content, which anybody can write. Without this denial, every principal of the
        # account whose own policy allows PutEvents could forge notifications.
        Sid       = "DenyOthers"
        Effect    = "Deny"
        Principal = "*"
        Action    = "events:PutEvents"
        Resource  = local.arn.bus
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = [
          local.arn.role, "arn:${local.partition}:iam::${local.account}:role/${var.name}-forward",
        ] } }
      },
    ]
  })
}

# Results of the function are on this bus too. Their source is `lambda`, so this rule does not match them.
resource "aws_cloudwatch_event_rule" "function" {
  name           = "${var.name}-function"
  description    = "Sends events from all Regions to the function ${var.name}"
  event_bus_name = aws_cloudwatch_event_bus.home.name
  tags           = var.tags
  event_pattern = jsonencode({
    source      = ["aws.ec2"]
    account     = [local.account]
    detail-type = ["AWS API Call via CloudTrail", "EC2 Instance State-change Notification"]
  })
}

resource "aws_cloudwatch_event_target" "function" {
  rule           = aws_cloudwatch_event_rule.function.name
  event_bus_name = aws_cloudwatch_event_bus.home.name
  target_id      = "function"
  arn            = aws_lambda_function.enforcer.arn

  retry_policy {
    maximum_event_age_in_seconds = local.retry.age
    maximum_retry_attempts       = local.retry.attempts
  }
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters[local.home].arn
  }
}

resource "aws_lambda_permission" "home" {
  statement_id  = "home-bus"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.enforcer.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.function.arn
}

resource "aws_cloudwatch_event_archive" "home" {
  count            = var.archive_days == null ? 0 : 1
  name             = var.name
  description      = "Events from all Regions, for replay on the bus ${var.name}"
  event_source_arn = aws_cloudwatch_event_bus.home.arn
  retention_days   = var.archive_days
  # Excludes results: a replay would publish them again.
  event_pattern = aws_cloudwatch_event_rule.function.event_pattern
}
