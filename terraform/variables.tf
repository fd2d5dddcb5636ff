variable "name" {
  description = "Name of the function, and prefix of the names of all other resources. Must be unique within the account."
  type        = string
  default     = "imds-enforcer"
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 40 lowercase letters, digits, and hyphens, start with a letter, and not end with a hyphen, but it is `${var.name}`."
  }
}

variable "regions" {
  description = "Regions in which to enforce the policy. Defaults to all Regions that are enabled in the account."
  type        = list(string)
  default     = null
  validation {
    condition     = var.regions == null ? true : length(var.regions) > 0
    error_message = "regions must contain at least one Region. To use all enabled Regions, set it to null."
  }
  validation {
    condition     = var.regions == null ? true : length(distinct(var.regions)) == length(var.regions)
    error_message = "regions must not contain duplicates: ${jsonencode(var.regions)}."
  }
  validation {
    condition     = var.regions == null ? true : length(setsubtract(var.regions, data.aws_regions.known.names)) == 0
    error_message = "regions must contain Regions of this partition, such as ${jsonencode(slice(sort(data.aws_regions.known.names), 0, 1))}, not ${jsonencode(setsubtract(coalesce(var.regions, []), data.aws_regions.known.names))}."
  }
  validation {
    condition = var.regions == null ? true : length(setsubtract(
      setintersection(var.regions, data.aws_regions.known.names), data.aws_regions.enabled.names
    )) == 0
    error_message = "regions must contain Regions that are enabled in this account. Enable or remove ${jsonencode(setsubtract(setintersection(coalesce(var.regions, []), data.aws_regions.known.names), data.aws_regions.enabled.names))}."
  }
}

variable "excluded_regions" {
  description = "Regions to exclude. They have no rules, are not scanned, and the function has no permissions in them."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = length(setsubtract(var.excluded_regions, data.aws_regions.known.names)) == 0
    error_message = "excluded_regions must contain Regions of this partition, not ${jsonencode(setsubtract(var.excluded_regions, data.aws_regions.known.names))}."
  }
  validation {
    condition     = length(distinct(var.excluded_regions)) == length(var.excluded_regions)
    error_message = "excluded_regions must not contain duplicates: ${jsonencode(var.excluded_regions)}."
  }
  validation {
    condition     = length(setsubtract(var.regions == null ? data.aws_regions.enabled.names : var.regions, var.excluded_regions)) > 0
    error_message = "excluded_regions must leave at least one Region."
  }
}

variable "sweep_only_regions" {
  description = "Regions that have no event rules and that only sweeps cover. Use it for Regions from which EventBridge cannot send events to the home Region."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition = length(setsubtract(var.sweep_only_regions, setsubtract(
      var.regions == null ? data.aws_regions.enabled.names : var.regions, var.excluded_regions
    ))) == 0
    error_message = "sweep_only_regions must contain only Regions that are in `regions` and not in `excluded_regions`, not ${jsonencode(var.sweep_only_regions)}."
  }
  validation {
    condition     = length(distinct(var.sweep_only_regions)) == length(var.sweep_only_regions)
    error_message = "sweep_only_regions must not contain duplicates: ${jsonencode(var.sweep_only_regions)}."
  }
  validation {
    condition = data.aws_partition.current.partition != "aws-cn" || length(setsubtract(
      setsubtract(var.regions == null ? data.aws_regions.enabled.names : var.regions, var.excluded_regions),
      concat(var.sweep_only_regions, [data.aws_region.current.region]),
    )) == 0
    error_message = "sweep_only_regions: in the China partition, EventBridge does not send events between Regions. Apply the module in each Region with `regions` set to that Region, or add every Region except the provider's."
  }
}

variable "architecture" {
  description = "Instruction set architecture of the function: `x86_64` or `arm64`. Arm is about 20 % cheaper."
  type        = string
  default     = "x86_64"
  nullable    = false
  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be `x86_64` or `arm64`, not `${var.architecture}`."
  }
}

variable "zip" {
  description = "Path of the function's deployment package. Defaults to ../dist/enforcer-ARCHITECTURE.zip, which `make build` creates."
  type        = string
  default     = null
}

variable "memory" {
  description = "Memory of the function in MB. Lambda allocates CPU power in proportion to it."
  type        = number
  # The function needs 7 MB for a launch and 36 MB for a sweep of 20,000 instances. The rest is for CPU power: see
  # docs/performance.md.
  default  = 256
  nullable = false
  validation {
    condition     = var.memory >= 128 && var.memory <= 10240 && floor(var.memory) == var.memory
    error_message = "memory must be a whole number from 128 to 10240, not ${var.memory}."
  }
}

variable "timeout" {
  description = "Timeout of the function in seconds. The function stops waiting for instances after 60 % of it, and stops acting after 85 %."
  type        = number
  default     = 300
  nullable    = false
  validation {
    condition     = var.timeout >= 60 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "timeout must be a whole number from 60 to 900, not ${var.timeout}."
  }
  validation {
    # 30 seconds to describe the instance before and after the grace period.
    condition     = var.timeout * 0.6 >= max(local.policy_values.new_instances.grace_seconds, local.policy_values.new_instances.enforce_grace_seconds) + 30
    error_message = "timeout must be at least ${ceil((max(local.policy_values.new_instances.grace_seconds, local.policy_values.new_instances.enforce_grace_seconds) + 30) / 0.6)}, not ${var.timeout}: policy.new_instances.grace_seconds (${local.policy_values.new_instances.grace_seconds}) and enforce_grace_seconds (${local.policy_values.new_instances.enforce_grace_seconds}) must pass within the first 60 % of it."
  }
}

variable "reserved_concurrency" {
  description = <<-EOT
    Reserved concurrency of the function. Set it to 0 to turn the function off. Defaults to null, which reserves nothing.
    Lambda requires at least 100 executions of the account's quota to remain unreserved (10 in new accounts).
  EOT
  type        = number
  default     = null
  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 0 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be null or a whole number of at least 0, not ${coalesce(var.reserved_concurrency, "null")}."
  }
}

variable "log_level" {
  description = "Log level of the function: `TRACE`, `DEBUG`, or `INFO`. Higher levels would discard reports and metrics."
  type        = string
  default     = "INFO"
  nullable    = false
  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO"], var.log_level)
    error_message = "log_level must be `TRACE`, `DEBUG`, or `INFO`, not `${var.log_level}`."
  }
}

variable "log_retention_days" {
  description = "Retention period of the logs in days. The logs contain the reports that a rollback needs, so it must be longer than `policy.existing.usage_window_days`."
  type        = number
  default     = 90
  nullable    = false
  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "log_retention_days must be a retention period that CloudWatch Logs supports, such as 30, 90, or 365, not ${var.log_retention_days}."
  }
  validation {
    condition     = var.log_retention_days > local.policy_values.existing.usage_window_days
    error_message = "log_retention_days must be longer than policy.existing.usage_window_days (${local.policy_values.existing.usage_window_days}), not ${var.log_retention_days}: a rollback needs the reports of the instances that were enforced after that window."
  }
}

variable "log_skip_destroy" {
  description = "Whether the log group remains when the module is destroyed. It contains the reports that a rollback needs."
  type        = bool
  default     = true
  nullable    = false
}

variable "system_log_level" {
  description = "Log level of the Lambda platform: `DEBUG`, `INFO`, or `WARN`."
  type        = string
  default     = "WARN"
  nullable    = false
  validation {
    condition     = contains(["DEBUG", "INFO", "WARN"], var.system_log_level)
    error_message = "system_log_level must be `DEBUG`, `INFO`, or `WARN`, not `${var.system_log_level}`."
  }
}

variable "state_deletion_protection" {
  description = "Whether DynamoDB refuses to delete the state table. The table contains exemptions and pauses. Set it to false and apply before you destroy the module."
  type        = bool
  default     = true
  nullable    = false
}

variable "max_message_size" {
  description = "Maximum size in bytes of a message in the queues for events that failed. Versions of the AWS provider before 6.8 accept at most 262144."
  type        = number
  default     = 1048576
  nullable    = false
  validation {
    condition     = var.max_message_size >= 262144 && var.max_message_size <= 1048576 && floor(var.max_message_size) == var.max_message_size
    error_message = "max_message_size must be a whole number from 262144 to 1048576, not ${var.max_message_size}."
  }
}

variable "sweep_schedule" {
  description = "Schedule of the sweep, which scans all instances: `rate(N minutes|hours|days)`, from 5 minutes to 1 day."
  type        = string
  default     = "rate(1 hour)"
  nullable    = false
  validation {
    condition     = can(regex("^rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)$", var.sweep_schedule))
    error_message = "sweep_schedule must be `rate(N minutes)`, `rate(N hours)`, or `rate(N days)`, with a singular unit for 1, not `${var.sweep_schedule}`."
  }
  validation {
    condition = !can(regex("^rate\\([0-9]+ (minute|hour|day)s?\\)$", var.sweep_schedule)) ? true : (
      tonumber(regex("[0-9]+", var.sweep_schedule)) * { minute = 1, hour = 60, day = 1440 }[regex("minute|hour|day", var.sweep_schedule)] >= 5 &&
      tonumber(regex("[0-9]+", var.sweep_schedule)) * { minute = 1, hour = 60, day = 1440 }[regex("minute|hour|day", var.sweep_schedule)] <= 1440
    )
    error_message = "sweep_schedule must be between 5 minutes and 1 day, the longest period of its alarm, not `${var.sweep_schedule}`."
  }
}

variable "watch_state_changes" {
  description = "Whether to also process EC2 instance state-change notifications. They do not require a trail, and add two invocations per launch or start, each with a DescribeInstances call."
  type        = bool
  default     = false
  nullable    = false
}

variable "subscriptions" {
  description = "SNS subscriptions to notifications. Subscribers with the protocol `email` must confirm their subscription."
  type        = list(object({ protocol = string, endpoint = string }))
  default     = []
  nullable    = false
  validation {
    condition = alltrue([
      for subscription in var.subscriptions :
      contains(["email", "email-json", "https", "lambda", "sms", "sqs"], subscription.protocol) && trimspace(subscription.endpoint) != ""
    ])
    error_message = "subscriptions must have the protocol `email`, `email-json`, `https`, `lambda`, `sms`, or `sqs`, and an endpoint that is not blank, not ${jsonencode(var.subscriptions)}."
  }
  validation {
    condition     = length(distinct(var.subscriptions)) == length(var.subscriptions)
    error_message = "subscriptions must not contain duplicates: ${jsonencode(var.subscriptions)}."
  }
}

variable "account_defaults" {
  description = <<-EOT
    Account-level default metadata options to set in every Region that the module covers. They apply to launches that do
    not specify these options, and replace existing defaults. Destroying the module sets them to no preference.
  EOT
  type = object({
    http_tokens            = optional(string, "required")
    hop_limit              = optional(number)
    instance_metadata_tags = optional(string)
  })
  default = null
  validation {
    condition     = var.account_defaults == null ? true : var.account_defaults.http_tokens == "required"
    error_message = "account_defaults.http_tokens must be `required`, not `${var.account_defaults == null ? "" : var.account_defaults.http_tokens}`."
  }
  validation {
    condition = var.account_defaults == null ? true : var.account_defaults.hop_limit == null ? true : (
      var.account_defaults.hop_limit >= 1 && var.account_defaults.hop_limit <= 64 &&
      floor(var.account_defaults.hop_limit) == var.account_defaults.hop_limit
    )
    error_message = "account_defaults.hop_limit must be null or a whole number from 1 to 64, not ${jsonencode(var.account_defaults == null ? null : var.account_defaults.hop_limit)}."
  }
  validation {
    condition = var.account_defaults == null ? true : var.account_defaults.instance_metadata_tags == null ? true : contains(
      ["enabled", "disabled"], var.account_defaults.instance_metadata_tags
    )
    error_message = "account_defaults.instance_metadata_tags must be null, `enabled`, or `disabled`, not ${jsonencode(var.account_defaults == null ? null : var.account_defaults.instance_metadata_tags)}."
  }
}

variable "archive_days" {
  description = "Retention period in days of an archive of events on the home bus. Set it to 0 to keep events indefinitely. Defaults to null, which creates no archive."
  type        = number
  default     = null
  validation {
    condition     = var.archive_days == null ? true : var.archive_days >= 0 && floor(var.archive_days) == var.archive_days
    error_message = "archive_days must be null or a whole number of at least 0, not ${coalesce(var.archive_days, "null")}."
  }
}

variable "create_trail" {
  description = "Whether to create a multi-Region trail of management events. Required if the account has none, because EventBridge receives API calls only from a trail."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of a KMS key in the home Region that encrypts environment variables, logs, the state table, the topic, and the queues there. Defaults to the default encryption of each service. See README.md for the required key policy."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:${data.aws_region.current.region}:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias, in the provider's Region (${data.aws_region.current.region}), but it is `${coalesce(var.kms_key_arn, "null")}`."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the policy to use as the permissions boundary of all roles."
  type        = string
  default     = null
  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, not `${coalesce(var.permissions_boundary_arn, "null")}`."
  }
}

variable "tags" {
  description = "Tags to assign to all resources that support tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
