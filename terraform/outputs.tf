output "home_region" {
  description = "Region of the function, the home bus, the topic, and the dashboard."
  value       = local.home
}

output "regions" {
  description = "Regions in which the policy is enforced."
  value       = local.regions
}

output "watched_regions" {
  description = "Regions that send events to the function, so that it acts within seconds of a launch."
  value       = sort(local.watched)
}

output "policy" {
  description = "The policy document that the function reads."
  value       = local.policy
}

output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.enforcer.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.enforcer.arn
}

output "role_arn" {
  description = "ARN of the function's execution role."
  value       = aws_iam_role.function.arn
}

output "log_group" {
  description = "Log group of the function, in the home Region."
  value       = aws_cloudwatch_log_group.function.name
}

output "bus_name" {
  description = "Name of the home bus."
  value       = aws_cloudwatch_event_bus.home.name
}

output "bus_arn" {
  description = "ARN of the home bus."
  value       = aws_cloudwatch_event_bus.home.arn
}

output "rule_arns" {
  description = "ARNs of the event rules, by Region and name."
  value       = { for key, rule in aws_cloudwatch_event_rule.watch : key => rule.arn }
}

output "on_failure_queue_url" {
  description = "URL of the queue for events that the function failed to process."
  value       = aws_sqs_queue.on_failure.url
}

output "sweep_failures_queue_url" {
  description = "URL of the queue for sweeps that the schedule could not start or that failed."
  value       = aws_sqs_queue.sweep_failures.url
}

output "dead_letter_queue_urls" {
  description = "URLs of the queues for events that were not delivered, by Region."
  value       = { for region, queue in aws_sqs_queue.dead_letters : region => queue.url }
}

output "state_table_name" {
  description = "Name of the state table."
  value       = aws_dynamodb_table.state.name
}

output "state_table_arn" {
  description = "ARN of the state table."
  value       = aws_dynamodb_table.state.arn
}

output "exemptions_policy" {
  description = "IAM policy document for people who exempt instances and pause the function."
  value       = local.exemptions_policy
}

output "topic_arn" {
  description = "ARN of the notification topic."
  value       = aws_sns_topic.this.arn
}

output "schedule_name" {
  description = "Name of the sweep schedule."
  value       = aws_scheduler_schedule.sweep.name
}

output "alarm_names" {
  description = "Names of the alarms in the home Region. In addition, every Region with a dead-letter queue has alarms of its own."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.home : alarm.alarm_name])
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "archive_name" {
  description = "Name of the archive, or null if there is none."
  value       = one(aws_cloudwatch_event_archive.home[*].name)
}

output "trail_arn" {
  description = "ARN of the trail, or null if there is none."
  value       = one(aws_cloudtrail.this[*].arn)
}

output "invoke_command" {
  description = "Command that invokes the function with an event file and prints the report."
  value       = "cargo lambda invoke --remote --region ${local.home} --data-file EVENT.json ${var.name}"
}

output "sweep_command" {
  description = "Command that starts a sweep and prints the report."
  value       = "cargo lambda invoke --remote --region ${local.home} --data-ascii '${local.sweep}' ${var.name}"
}

locals {
  # Only the schedule's event names no account.
  sweep = jsonencode({
    source      = local.sweep_source
    detail-type = "Sweep"
    detail      = { accounts = [local.account], regions = local.regions }
  })

  # The AWS CLI waits for the report, and does not invoke the function again.
  invoke = "AWS_MAX_ATTEMPTS=1 aws lambda invoke --region ${local.home} --function-name ${var.name} --cli-read-timeout 0"
  state  = "--region ${local.home} --table-name ${var.name}"
  queues = merge(
    { "${var.name}-on-failure in ${local.home}" = { region = local.home, url = aws_sqs_queue.on_failure.url } },
    { "${var.name}-sweep-failures in ${local.home}" = { region = local.home, url = aws_sqs_queue.sweep_failures.url } },
    { for region, queue in aws_sqs_queue.dead_letters : "${var.name}-dead-letters in ${region}" => { region = region, url = queue.url } },
  )
}

output "commands" {
  description = "Commands of the AWS CLI, one a line, each below its description. Replace the words in capital letters."
  value = join("\n", concat(
    [
      "# Invoke the function with an event file, and print the report.",
      "${local.invoke} --payload fileb://EVENT.json /dev/stdout",
      "# Start a sweep, and print the report.",
      "printf %s '${local.sweep}' | ${local.invoke} --payload fileb:///dev/stdin /dev/stdout",
      "# Show the exemption of an instance.",
      "aws dynamodb get-item ${local.state} --consistent-read --key '${jsonencode({ key = { S = "exempt#INSTANCE" } })}'",
      "# Exempt an instance until a time in UTC such as 2027-03-31T08:00:00Z.",
      "aws dynamodb put-item ${local.state} --item '${jsonencode({ key = { S = "exempt#INSTANCE" }, until = { S = "UNTIL" }, reason = { S = "REASON" }, by = { S = "NAME" } })}'",
      "# End the exemption of an instance.",
      "aws dynamodb delete-item ${local.state} --key '${jsonencode({ key = { S = "exempt#INSTANCE" } })}'",
      "# Show the pause of the account.",
      "aws dynamodb get-item ${local.state} --consistent-read --key '${jsonencode({ key = { S = "pause#${local.account}" } })}'",
      "# Pause the account until a time in UTC: the function reports instead of acting.",
      "aws dynamodb put-item ${local.state} --item '${jsonencode({ key = { S = "pause#${local.account}" }, until = { S = "UNTIL" }, reason = { S = "REASON" }, by = { S = "NAME" } })}'",
      "# End the pause of the account.",
      "aws dynamodb delete-item ${local.state} --key '${jsonencode({ key = { S = "pause#${local.account}" } })}'",
    ],
    flatten([
      for name, queue in local.queues : [
        "# Receive a message from the queue ${name}. Other receivers do not see it for 15 minutes.",
        "aws sqs receive-message --region ${queue.region} --queue-url ${queue.url} --visibility-timeout 900 --query 'Messages[0].[ReceiptHandle,Body]' --output text > MESSAGE",
        "# Invoke the function with the event in the message, and print the report.",
        "cut -f 2- MESSAGE > EVENT.json && ${local.invoke} --payload fileb://EVENT.json /dev/stdout",
        "# Delete the message from the queue ${name}.",
        "aws sqs delete-message --region ${queue.region} --queue-url ${queue.url} --receipt-handle \"$(cut -f 1 MESSAGE)\"",
      ]
    ]),
  ))
}
