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

output "dead_letter_queue_urls" {
  description = "URLs of the queues for events that were not delivered, by Region."
  value       = { for region, queue in aws_sqs_queue.dead_letters : region => queue.url }
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
  description = "Names of the alarms in the home Region. In addition, every Region with a dead-letter queue has an alarm for it."
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
  value       = "cargo lambda invoke --remote --region ${local.home} --data-ascii '${aws_scheduler_schedule.sweep.target[0].input}' ${var.name}"
}
