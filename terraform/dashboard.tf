# The dashboard: what the guard does, whether it can, and what it could not.

locals {
  outcomes = ["Compliant", "Exempt", "Reported", "Enforced", "Stopped", "Terminated", "Spared", "Gone", "Failed"]

  panels = [
    { title = "Outcomes", stat = "Sum", metrics = [for outcome in local.outcomes : ["ImdsEnforcer", outcome]] },
    {
      title   = "Wrong instances by region"
      stat    = "Sum"
      metrics = [for region in local.regions : [{ expression = "SUM(SEARCH('{ImdsEnforcer,Region} Region=\"${region}\" MetricName=(\"Reported\" OR \"Enforced\" OR \"Stopped\" OR \"Terminated\" OR \"Spared\" OR \"Failed\")', 'Sum', 3600))", label = region }]]
    },
    {
      title = "Seconds exposed, from launch to mended"
      stat  = "p95"
      metrics = concat(
        [["ImdsEnforcer", "SecondsExposed", { stat = "p50", label = "half" }], ["ImdsEnforcer", "SecondsExposed", { stat = "p95", label = "95 %" }], ["ImdsEnforcer", "SecondsExposed", { stat = "Maximum", label = "longest" }]],
      )
    },
    {
      title   = "Seconds exposed by region, longest"
      stat    = "Maximum"
      metrics = [for region in local.regions : ["ImdsEnforcer", "SecondsExposed", "Region", region, { label = region }]]
    },
    {
      title   = "Function: errors, throttles, results and failures lost"
      stat    = "Sum"
      metrics = [for metric in ["Errors", "Throttles", "DestinationDeliveryFailures", "DeadLetterErrors", "Invocations"] : ["AWS/Lambda", metric, "FunctionName", var.name]]
    },
    {
      title   = "Function: how late and how long (ms)"
      stat    = "Maximum"
      metrics = [for metric in ["AsyncEventAge", "Duration"] : ["AWS/Lambda", metric, "FunctionName", var.name]]
    },
    {
      title = "Waiting in queues"
      stat  = "Maximum"
      metrics = concat(
        [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-on-failure", { label = "on-failure" }]],
        [for region in sort(local.with_queue) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-dead-letters", { region = region, label = "dead letters ${region}" }]],
      )
    },
    {
      title   = "Sweeps: regions seen and not seen, instances breaking and drifting"
      stat    = "Sum"
      metrics = [for metric in ["Swept", "Unseen", "Breaking", "Drifting"] : ["ImdsEnforcer", metric]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for index, panel in local.panels : {
        type   = "metric"
        x      = index % 2 * 12
        y      = floor(index / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = panel.title
          view    = "timeSeries"
          region  = local.home
          stat    = panel.stat
          period  = 300
          metrics = panel.metrics
        }
      }
    ]
  })
}
