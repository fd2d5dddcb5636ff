variable "name" {
  description = "Name of the function, and the start of every other name. Two guards in an account need two names."
  type        = string
  default     = "imds-enforcer"
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "name is `${var.name}`: expected 2 to 40 small letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "regions" {
  description = "Regions to guard; null for all that are enabled in the account."
  type        = list(string)
  default     = null
  validation {
    condition     = var.regions == null ? true : length(var.regions) > 0
    error_message = "regions is empty: expected at least one region, or null for all that are enabled."
  }
  validation {
    condition     = var.regions == null ? true : length(distinct(var.regions)) == length(var.regions)
    error_message = "regions is ${jsonencode(var.regions)}: expected each region once."
  }
  validation {
    condition     = var.regions == null ? true : length(setsubtract(var.regions, data.aws_regions.known.names)) == 0
    error_message = "regions holds ${jsonencode(setsubtract(coalesce(var.regions, []), data.aws_regions.known.names))}: expected regions of this partition, such as ${jsonencode(slice(sort(data.aws_regions.known.names), 0, 1))}."
  }
  validation {
    condition = var.regions == null ? true : length(setsubtract(
      setintersection(var.regions, data.aws_regions.known.names), data.aws_regions.enabled.names
    )) == 0
    error_message = "regions holds ${jsonencode(setsubtract(setintersection(coalesce(var.regions, []), data.aws_regions.known.names), data.aws_regions.enabled.names))}: expected regions that are enabled in this account; enable them first, or leave them out."
  }
}

variable "excluded_regions" {
  description = "Regions to leave unguarded: no rule, no sweep, no permission."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = length(setsubtract(var.excluded_regions, data.aws_regions.known.names)) == 0
    error_message = "excluded_regions holds ${jsonencode(setsubtract(var.excluded_regions, data.aws_regions.known.names))}: expected regions of this partition."
  }
  validation {
    condition     = length(distinct(var.excluded_regions)) == length(var.excluded_regions)
    error_message = "excluded_regions is ${jsonencode(var.excluded_regions)}: expected each region once."
  }
  validation {
    condition     = length(setsubtract(var.regions == null ? data.aws_regions.enabled.names : var.regions, var.excluded_regions)) > 0
    error_message = "excluded_regions leaves no region to guard: expected at least one to be left."
  }
}

variable "sweep_only_regions" {
  description = "Regions without a rule, which only the sweep looks at: those that EventBridge does not forward events from."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition = length(setsubtract(var.sweep_only_regions, setsubtract(
      var.regions == null ? data.aws_regions.enabled.names : var.regions, var.excluded_regions
    ))) == 0
    error_message = "sweep_only_regions is ${jsonencode(var.sweep_only_regions)}: expected regions that are guarded."
  }
  validation {
    condition     = length(distinct(var.sweep_only_regions)) == length(var.sweep_only_regions)
    error_message = "sweep_only_regions is ${jsonencode(var.sweep_only_regions)}: expected each region once."
  }
  validation {
    condition = data.aws_partition.current.partition != "aws-cn" || length(setsubtract(
      setsubtract(var.regions == null ? data.aws_regions.enabled.names : var.regions, var.excluded_regions),
      concat(var.sweep_only_regions, [data.aws_region.current.region]),
    )) == 0
    error_message = "sweep_only_regions: in the China partition EventBridge forwards no events between regions. Apply once in each region with `regions` set to that region, or name every region but the provider's here."
  }
}

variable "architecture" {
  description = "Processor of the function: `x86_64`, or `arm64` (about a fifth cheaper)."
  type        = string
  default     = "x86_64"
  nullable    = false
  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is `${var.architecture}`: expected `x86_64` or `arm64`."
  }
}

variable "zip" {
  description = "Path of the function's zip; null for dist/enforcer-ARCHITECTURE.zip beside this module, which `make build` makes."
  type        = string
  default     = null
}

variable "memory" {
  description = "Memory of the function in MB, which also sets its share of a processor."
  type        = number
  # The function takes 7 MB for a launch, 14 MB for one of 1,000 instances, and 36 MB for a sweep of 20,000 in 17
  # regions. The rest buys a seventh of a processor, which halves what 128 MB would wait for one: see
  # docs/performance.md. A million launches cost $0.20 that are right, and $0.43 that are wrong.
  default  = 256
  nullable = false
  validation {
    condition     = var.memory >= 128 && var.memory <= 10240 && floor(var.memory) == var.memory
    error_message = "memory is ${var.memory}: expected a whole number of MB from 128 to 10240."
  }
}

variable "timeout" {
  description = "Seconds that one invocation may take. The function stops waiting for instances at 60 % of it and acting at 85 %."
  type        = number
  default     = 300
  nullable    = false
  validation {
    condition     = var.timeout >= 60 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "timeout is ${var.timeout}: expected a whole number of seconds from 60 to 900."
  }
  validation {
    # 30 s to look at the instance before the wait and after it.
    condition     = var.timeout * 0.6 >= var.policy.limits.grace_seconds + 30
    error_message = "timeout is ${var.timeout}: expected at least ${ceil((var.policy.limits.grace_seconds + 30) / 0.6)}, because the function waits through policy.limits.grace_seconds (${var.policy.limits.grace_seconds}) in the first 60 % of it."
  }
}

variable "reserved_concurrency" {
  description = <<-EOT
    Invocations that may run at once, taken from the account's quota; null for no such share, 0 to switch the guard off.
    Lambda refuses to leave less than 100 (10 in a new account, whose whole quota is 10) to the other functions.
  EOT
  type        = number
  default     = null
  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 0 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency is ${coalesce(var.reserved_concurrency, "null")}: expected a whole number, 0 or more, or null."
  }
}

variable "log_level" {
  description = "Least level that the function logs: `TRACE`, `DEBUG` or `INFO`. Higher ones would drop reports and metrics."
  type        = string
  default     = "INFO"
  nullable    = false
  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO"], var.log_level)
    error_message = "log_level is `${var.log_level}`: expected `TRACE`, `DEBUG` or `INFO`."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept. Reports in them are what changes are undone from."
  type        = number
  default     = 90
  nullable    = false
  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "log_retention_days is ${var.log_retention_days}: expected a number of days that CloudWatch Logs takes, such as 30, 90 or 365."
  }
}

variable "sweep_schedule" {
  description = "How often all instances are looked at: `rate(N minutes|hours|days)`, from 5 minutes to a day."
  type        = string
  default     = "rate(1 hour)"
  nullable    = false
  validation {
    condition     = can(regex("^rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)$", var.sweep_schedule))
    error_message = "sweep_schedule is `${var.sweep_schedule}`: expected `rate(N minutes)`, `rate(N hours)` or `rate(N days)`, in the singular for 1."
  }
  validation {
    condition = !can(regex("^rate\\([0-9]+ (minute|hour|day)s?\\)$", var.sweep_schedule)) ? true : (
      tonumber(regex("[0-9]+", var.sweep_schedule)) * { minute = 1, hour = 60, day = 1440 }[regex("minute|hour|day", var.sweep_schedule)] >= 5 &&
      tonumber(regex("[0-9]+", var.sweep_schedule)) * { minute = 1, hour = 60, day = 1440 }[regex("minute|hour|day", var.sweep_schedule)] <= 1440
    )
    error_message = "sweep_schedule is `${var.sweep_schedule}`: expected from 5 minutes to a day, the longest that its alarm can watch over."
  }
}

variable "watch_state_changes" {
  description = "Whether EC2's own notifications of starting instances come too. They need no trail, and cost two more invocations a launch."
  type        = bool
  default     = false
  nullable    = false
}

variable "subscriptions" {
  description = "Who is told: SNS protocol and endpoint. Those of `email` have to confirm."
  type        = list(object({ protocol = string, endpoint = string }))
  default     = []
  nullable    = false
  validation {
    condition = alltrue([
      for subscription in var.subscriptions :
      contains(["email", "email-json", "https", "lambda", "sms", "sqs"], subscription.protocol) && trimspace(subscription.endpoint) != ""
    ])
    error_message = "subscriptions is ${jsonencode(var.subscriptions)}: expected a protocol of `email`, `email-json`, `https`, `lambda`, `sms`, `sqs`, and an endpoint that is not blank."
  }
  validation {
    condition     = length(distinct(var.subscriptions)) == length(var.subscriptions)
    error_message = "subscriptions is ${jsonencode(var.subscriptions)}: expected each once."
  }
}

variable "account_defaults" {
  description = <<-EOT
    Metadata options that launches get in every guarded region where they ask for none; null to leave the account's
    defaults alone. Applying replaces what is set there, and destroying sets no preference.
  EOT
  type = object({
    http_tokens            = optional(string, "required")
    hop_limit              = optional(number)
    instance_metadata_tags = optional(string)
  })
  default = null
  validation {
    condition     = var.account_defaults == null ? true : var.account_defaults.http_tokens == "required"
    error_message = "account_defaults.http_tokens is `${var.account_defaults == null ? "" : var.account_defaults.http_tokens}`: expected `required`."
  }
  validation {
    condition = var.account_defaults == null ? true : var.account_defaults.hop_limit == null ? true : (
      var.account_defaults.hop_limit >= 1 && var.account_defaults.hop_limit <= 64 &&
      floor(var.account_defaults.hop_limit) == var.account_defaults.hop_limit
    )
    error_message = "account_defaults.hop_limit is ${jsonencode(var.account_defaults == null ? null : var.account_defaults.hop_limit)}: expected a whole number from 1 to 64, or null."
  }
  validation {
    condition = var.account_defaults == null ? true : var.account_defaults.instance_metadata_tags == null ? true : contains(
      ["enabled", "disabled"], var.account_defaults.instance_metadata_tags
    )
    error_message = "account_defaults.instance_metadata_tags is ${jsonencode(var.account_defaults == null ? null : var.account_defaults.instance_metadata_tags)}: expected `enabled`, `disabled` or null."
  }
}

variable "archive_days" {
  description = "Days that an archive on the home bus keeps the events, to replay them; null for no archive, 0 for ever."
  type        = number
  default     = null
  validation {
    condition     = var.archive_days == null ? true : var.archive_days >= 0 && floor(var.archive_days) == var.archive_days
    error_message = "archive_days is ${coalesce(var.archive_days, "null")}: expected a whole number, 0 or more, or null."
  }
}

variable "create_trail" {
  description = "Whether to create a multi-region trail of management events. Only for accounts that have none: without any, no launch is heard of."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the home region for variables, logs, topic and the queues there; null for AWS's own. README.md has the statements that it needs."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:${data.aws_region.current.region}:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn is `${coalesce(var.kms_key_arn, "null")}`: expected the ARN of a key (no alias) in the provider's region, ${data.aws_region.current.region}."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role; null for none."
  type        = string
  default     = null
  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn is `${coalesce(var.permissions_boundary_arn, "null")}`: expected the ARN of an IAM policy."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
