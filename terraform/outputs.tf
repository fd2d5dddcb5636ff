output "home_region" {
  description = "Region of the function, the home bus, the topic and the dashboard."
  value       = local.home
}

output "regions" {
  description = "Regions guarded: swept, and watched unless in `sweep_only_regions`."
  value       = local.regions
}

output "watched_regions" {
  description = "Regions whose launches are heard of within seconds."
  value       = sort(local.watched)
}

output "policy" {
  description = "The policy as the function reads it."
  value       = local.policy
}

output "function_name" {
  description = "Name of the function, and of its role's sessions."
  value       = aws_lambda_function.enforcer.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.enforcer.arn
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.function.arn
}

output "log_group" {
  description = "Log group of the function, in the home region."
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
  description = "ARNs of the rules that watch, by region and name."
  value       = { for key, rule in aws_cloudwatch_event_rule.watch : key => rule.arn }
}

output "on_failure_queue_url" {
  description = "URL of the queue of events that the function gave up on."
  value       = aws_sqs_queue.on_failure.url
}

output "dead_letter_queue_urls" {
  description = "URLs of the queues of what could not be delivered, by region."
  value       = { for region, queue in aws_sqs_queue.dead_letters : region => queue.url }
}

output "topic_arn" {
  description = "ARN of the topic that tells."
  value       = aws_sns_topic.this.arn
}

output "schedule_name" {
  description = "Name of the sweep's schedule."
  value       = aws_scheduler_schedule.sweep.name
}

output "alarm_names" {
  description = "Names of the alarms of the home region; each region with a queue has one for dead letters besides."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.home : alarm.alarm_name])
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "archive_name" {
  description = "Name of the archive on the home bus; null without one."
  value       = one(aws_cloudwatch_event_archive.home[*].name)
}

output "trail_arn" {
  description = "ARN of the trail; null without one."
  value       = one(aws_cloudtrail.this[*].arn)
}

output "invoke_command" {
  description = "Hands an event file to the function and shows its answer."
  value       = "cargo lambda invoke --remote --region ${local.home} --data-file EVENT.json ${var.name}"
}

output "sweep_command" {
  description = "Sweeps now and shows the report."
  value       = "cargo lambda invoke --remote --region ${local.home} --data-ascii '${aws_scheduler_schedule.sweep.target[0].input}' ${var.name}"
}
