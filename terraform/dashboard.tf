# The CloudWatch dashboard.

locals {
  outcomes = ["Compliant", "Exempt", "Reported", "Enforced", "Stopped", "Terminated", "Gone", "Failed"]

  panels = [
    { title = "Outcomes", stat = "Sum", metrics = [for outcome in local.outcomes : ["ImdsEnforcer", outcome]] },
    {
      title   = "Non-compliant instances by Region"
      stat    = "Sum"
      metrics = [for region in local.regions : [{ expression = "SUM(SEARCH('{ImdsEnforcer,Region} Region=\"${region}\" MetricName=(\"Reported\" OR \"Enforced\" OR \"Stopped\" OR \"Terminated\" OR \"Failed\")', 'Sum', 3600))", label = region }]]
    },
    {
      title   = "Seconds from launch to enforcement"
      stat    = "p95"
      metrics = [for stat in ["p50", "p95", "Maximum"] : ["ImdsEnforcer", "SecondsExposed", { stat = stat, label = stat }]]
    },
    {
      title   = "Seconds from launch to enforcement by Region (maximum)"
      stat    = "Maximum"
      metrics = [for region in local.regions : ["ImdsEnforcer", "SecondsExposed", "Region", region, { label = region }]]
    },
    {
      title   = "Function: invocations and errors"
      stat    = "Sum"
      metrics = [for metric in ["Errors", "Throttles", "DestinationDeliveryFailures", "DeadLetterErrors", "Invocations"] : ["AWS/Lambda", metric, "FunctionName", var.name]]
    },
    {
      title   = "Function: event age and duration (ms)"
      stat    = "Maximum"
      metrics = [for metric in ["AsyncEventAge", "Duration"] : ["AWS/Lambda", metric, "FunctionName", var.name]]
    },
    {
      title = "Messages in queues"
      stat  = "Maximum"
      metrics = concat(
        [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-on-failure", { label = "on-failure" }]],
        [for region in sort(local.with_queue) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-dead-letters", { region = region, label = "dead-letters ${region}" }]],
      )
    },
    {
      title = "Sweeps and limits"
      stat  = "Sum"
      metrics = [
        ["ImdsEnforcer", "RegionsScanned", { label = "Regions scanned" }],
        ["ImdsEnforcer", "RegionsUnreachable", { label = "Regions unreachable" }],
        ["ImdsEnforcer", "RejectedCalls", { label = "Instances with rejected calls" }],
        ["ImdsEnforcer", "DriftLimitReached", { label = "Drift limit reached" }],
        ["ImdsEnforcer", "DisruptionLimitReached", { label = "Disruption limit reached" }],
      ]
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
