# The CloudWatch dashboard.

locals {
  outcomes = ["Compliant", "Exempt", "Reported", "Enforced", "Stopped", "Terminated", "Gone", "Failed"]
  # Gauges of a sweep, and what is left until somebody acts.
  left = {
    NonCompliant        = "Non-compliant"
    SweepIncomplete     = "Regions or instances left undone"
    LeftForNextSweep    = "Left for the next sweep"
    ExemptInstances     = "Exempt"
    MissedLaunches      = "Launches that no event told"
    MissedLaunchesInUse = "Launches that no event told, in use"
    Paused              = "Paused"
  }
  limits = {
    RejectedCalls          = "Rejected calls"
    DriftLimitReached      = "Drift limit reached"
    DisruptionLimitReached = "Disruption limit reached"
    StateUnavailable       = "State table unavailable"
    LauncherUnknown        = "Launcher unknown"
  }

  # Metrics. Values are by Region only in the logs, because each dimension of a metric costs as much as a metric.
  panels = [
    { title = "Outcomes", stat = "Sum", period = 300, metrics = [for outcome in local.outcomes : [local.namespace, outcome]] },
    {
      title   = "Seconds from launch to enforcement"
      stat    = "p95"
      period  = 300
      metrics = [for stat in ["p50", "p95", "Maximum"] : [local.namespace, "SecondsExposed", { stat = stat, label = stat }]]
    },
    {
      title   = "What sweeps find"
      stat    = "Maximum"
      period  = local.interval
      metrics = [for metric, label in local.left : [local.namespace, metric, { label = label }]]
    },
    {
      title   = "Limits, and what stands in the way"
      stat    = "Sum"
      period  = 300
      metrics = [for metric, label in local.limits : [local.namespace, metric, { label = label }]]
    },
    {
      title   = "Function: invocations and errors"
      stat    = "Sum"
      period  = 300
      metrics = [for metric in ["Errors", "Throttles", "DestinationDeliveryFailures", "AsyncEventsDropped", "Invocations"] : ["AWS/Lambda", metric, "FunctionName", var.name]]
    },
    {
      title   = "Function: event age and duration (ms)"
      stat    = "Maximum"
      period  = 300
      metrics = [for metric in ["AsyncEventAge", "Duration"] : ["AWS/Lambda", metric, "FunctionName", var.name]]
    },
    {
      title  = "Messages in queues"
      stat   = "Maximum"
      period = 300
      metrics = concat(
        [for queue in ["on-failure", "sweep-failures"] : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-${queue}", { label = queue }]],
        [for region in sort(local.with_queue) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-dead-letters", { region = region, label = "dead-letters ${region}" }]],
      )
    },
  ]

  # CloudWatch Logs Insights over the lines that the function logs for each instance and each Region that it cannot scan.
  queries = [
    {
      title = "Instances by Region"
      query = "filter ispresent(outcome) and outcome not in ['compliant', 'exempt', 'gone'] | stats count_distinct(instance) as instances by region, trigger, outcome | sort instances desc"
    },
    {
      title = "Regions that could not be scanned, and failed actions"
      query = "filter outcome in ['unreachable', 'failed'] | stats count(*) as times, latest(message) as latest by region, instance, outcome | sort times desc | limit 50"
    },
  ]

  widgets = concat(
    [
      for panel in local.panels : {
        type = "metric"
        properties = {
          title   = panel.title
          view    = "timeSeries"
          region  = local.home
          stat    = panel.stat
          period  = panel.period
          metrics = panel.metrics
        }
      }
    ],
    [
      for panel in local.queries : {
        type = "log"
        properties = {
          title  = panel.title
          view   = "table"
          region = local.home
          query  = "SOURCE '${local.log_group}' | ${panel.query}"
        }
      }
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for index, widget in local.widgets : merge(widget, { x = index % 2 * 12, y = floor(index / 2) * 6, width = 12, height = 6 })
    ]
  })
}
