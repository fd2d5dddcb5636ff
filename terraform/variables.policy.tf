variable "policy" {
  description = <<-EOT
    The metadata options that instances must have, and the action to take on instances that do not have them. The
    attributes are those of policy.schema.json, except that conditions always take lists and that the module sets
    `version`. Terraform ignores attributes that it does not know, so check the `policy` output.
  EOT
  type = object({
    require = object({
      http_tokens            = optional(string)
      hop_limit              = optional(object({ at_least = optional(number), at_most = optional(number) }))
      http_endpoint          = optional(string)
      http_protocol_ipv6     = optional(string)
      instance_metadata_tags = optional(string)
    })
    on_violation = string
    rules = optional(list(object({
      name = string
      when = object({
        accounts         = optional(list(string))
        regions          = optional(list(string))
        tags             = optional(map(list(string)))
        images           = optional(list(string))
        instance_types   = optional(list(string))
        principals       = optional(list(string))
        auto_scaling     = optional(bool)
        launch_templates = optional(list(string))
      })
      action = optional(string)
      require = optional(object({
        http_tokens            = optional(string)
        hop_limit              = optional(object({ at_least = optional(number), at_most = optional(number) }))
        http_endpoint          = optional(string)
        http_protocol_ipv6     = optional(string)
        instance_metadata_tags = optional(string)
      }))
      expires          = optional(string)
      even_if_replaced = optional(bool)
      reason           = optional(string)
    })), [])
    new_instances = optional(object({
      disrupt_within_minutes = optional(number)
      enforce_within_hours   = optional(number)
      in_use                 = optional(string)
      grace_seconds          = optional(number, 60)
      enforce_grace_seconds  = optional(number)
    }), {})
    existing = optional(object({
      usage_window_days = optional(number, 14)
      usage_data_hours  = optional(number)
      in_use            = optional(string, "report")
      unknown           = optional(string, "report")
      watch_days        = optional(number)
    }), {})
    limits = optional(object({
      disruptions_per_hour  = optional(number, 10)
      enforcements_per_hour = optional(number)
    }), {})
  })
  default = {
    require      = { http_tokens = "required" }
    on_violation = "report"
  }
  nullable = false

  # Requirements of the policy and of its rules.
  validation {
    condition = alltrue([
      for require in concat([var.policy.require], var.policy.rules[*].require) :
      anytrue([for option in values(require) : option != null]) if require != null
    ])
    error_message = "policy.require and the `require` of each rule must set at least one of `http_tokens`, `hop_limit`, `http_endpoint`, `http_protocol_ipv6`, or `instance_metadata_tags`."
  }
  validation {
    condition = alltrue([
      for require in concat([var.policy.require], var.policy.rules[*].require) :
      require.http_tokens == null || require.http_tokens == "required" if require != null
    ])
    error_message = "policy: `http_tokens` must be `required` or omitted, not ${jsonencode([for require in concat([var.policy.require], var.policy.rules[*].require) : require.http_tokens if require != null])}."
  }
  validation {
    condition = alltrue([
      for require in concat([var.policy.require], var.policy.rules[*].require) :
      require.http_endpoint == null || require.http_endpoint == "disabled" if require != null
    ])
    error_message = "policy: `http_endpoint` must be `disabled` or omitted, because the function never enables an endpoint, not ${jsonencode([for require in concat([var.policy.require], var.policy.rules[*].require) : require.http_endpoint if require != null])}."
  }
  validation {
    condition = alltrue(flatten([
      for require in concat([var.policy.require], var.policy.rules[*].require) : [
        for option in [require.http_protocol_ipv6, require.instance_metadata_tags] :
        option == null ? true : contains(["enabled", "disabled"], option)
      ] if require != null
    ]))
    error_message = "policy: `http_protocol_ipv6` and `instance_metadata_tags` must be `enabled`, `disabled`, or omitted, not ${jsonencode([for require in concat([var.policy.require], var.policy.rules[*].require) : [require.http_protocol_ipv6, require.instance_metadata_tags] if require != null])}."
  }
  validation {
    condition = alltrue(flatten([
      for require in concat([var.policy.require], var.policy.rules[*].require) : [
        anytrue([for bound in values(require.hop_limit) : bound != null]),
        [for bound in values(require.hop_limit) : bound == null ? true : bound >= 1 && bound <= 64 && floor(bound) == bound],
        coalesce(require.hop_limit.at_least, 1) <= coalesce(require.hop_limit.at_most, 64),
      ] if require == null ? false : require.hop_limit != null
    ]))
    error_message = "policy: `hop_limit` must set `at_least`, `at_most`, or both to whole numbers from 1 to 64, with `at_least` no greater than `at_most`, not ${jsonencode([for require in concat([var.policy.require], var.policy.rules[*].require) : require.hop_limit if require != null])}."
  }

  # Actions, limits, and time spans.
  validation {
    condition     = contains(["report", "enforce", "stop", "terminate"], var.policy.on_violation)
    error_message = "policy.on_violation must be `report`, `enforce`, `stop`, or `terminate`, not `${var.policy.on_violation}`."
  }
  validation {
    condition = alltrue([
      for action in compact([var.policy.new_instances.in_use, var.policy.existing.in_use, var.policy.existing.unknown]) :
      contains(["report", "enforce"], action)
    ])
    error_message = "policy.new_instances.in_use, policy.existing.in_use and policy.existing.unknown must be `report` or `enforce`, not ${jsonencode([var.policy.new_instances.in_use, var.policy.existing.in_use, var.policy.existing.unknown])}."
  }
  validation {
    condition = (
      var.policy.existing.usage_window_days >= 1 && var.policy.existing.usage_window_days <= 63 &&
      floor(var.policy.existing.usage_window_days) == var.policy.existing.usage_window_days
    )
    error_message = "policy.existing.usage_window_days must be a whole number from 1 to 63, not ${var.policy.existing.usage_window_days}."
  }
  validation {
    condition = var.policy.existing.usage_data_hours == null ? true : (
      var.policy.existing.usage_data_hours >= 1 && var.policy.existing.usage_data_hours <= 168 &&
      floor(var.policy.existing.usage_data_hours) == var.policy.existing.usage_data_hours &&
      var.policy.existing.usage_data_hours <= 24 * var.policy.existing.usage_window_days
    )
    error_message = "policy.existing.usage_data_hours must be a whole number from 1 to 168 and fit into usage_window_days (${var.policy.existing.usage_window_days}), not ${jsonencode(var.policy.existing.usage_data_hours)}."
  }
  validation {
    condition = var.policy.new_instances.disrupt_within_minutes == null ? true : (
      var.policy.new_instances.disrupt_within_minutes >= 1 && var.policy.new_instances.disrupt_within_minutes <= 60 &&
      floor(var.policy.new_instances.disrupt_within_minutes) == var.policy.new_instances.disrupt_within_minutes &&
      max(var.policy.new_instances.grace_seconds, coalesce(var.policy.new_instances.enforce_grace_seconds, 0)) + 60 <= 60 * var.policy.new_instances.disrupt_within_minutes
    )
    error_message = "policy.new_instances.disrupt_within_minutes must be a whole number from 1 to 60 and at least a minute longer than grace_seconds (${var.policy.new_instances.grace_seconds}) and enforce_grace_seconds (${coalesce(var.policy.new_instances.enforce_grace_seconds, 0)}), not ${jsonencode(var.policy.new_instances.disrupt_within_minutes)}."
  }
  validation {
    condition = var.policy.new_instances.enforce_within_hours == null ? true : (
      var.policy.new_instances.enforce_within_hours >= 1 && var.policy.new_instances.enforce_within_hours <= 168 &&
      floor(var.policy.new_instances.enforce_within_hours) == var.policy.new_instances.enforce_within_hours
    )
    error_message = "policy.new_instances.enforce_within_hours must be a whole number from 1 to 168, not ${jsonencode(var.policy.new_instances.enforce_within_hours)}."
  }
  validation {
    condition = (
      var.policy.limits.disruptions_per_hour >= 0 && var.policy.limits.disruptions_per_hour <= 100000 &&
      floor(var.policy.limits.disruptions_per_hour) == var.policy.limits.disruptions_per_hour
    )
    error_message = "policy.limits.disruptions_per_hour must be a whole number from 0 to 100000, not ${var.policy.limits.disruptions_per_hour}."
  }
  validation {
    # The function accepts 600, but waits for at most 60 % of its timeout, which Lambda limits to 900 seconds.
    condition = (
      var.policy.new_instances.grace_seconds >= 0 && var.policy.new_instances.grace_seconds <= 510 &&
      floor(var.policy.new_instances.grace_seconds) == var.policy.new_instances.grace_seconds
    )
    error_message = "policy.new_instances.grace_seconds must be a whole number from 0 to 510, not ${var.policy.new_instances.grace_seconds}."
  }
  validation {
    condition = var.policy.new_instances.enforce_grace_seconds == null ? true : (
      var.policy.new_instances.enforce_grace_seconds >= 0 && var.policy.new_instances.enforce_grace_seconds <= 510 &&
      floor(var.policy.new_instances.enforce_grace_seconds) == var.policy.new_instances.enforce_grace_seconds
    )
    error_message = "policy.new_instances.enforce_grace_seconds must be a whole number from 0 to 510, not ${jsonencode(var.policy.new_instances.enforce_grace_seconds)}."
  }
  validation {
    condition = var.policy.limits.enforcements_per_hour == null ? true : (
      var.policy.limits.enforcements_per_hour >= 1 && var.policy.limits.enforcements_per_hour <= 1000 &&
      floor(var.policy.limits.enforcements_per_hour) == var.policy.limits.enforcements_per_hour
    )
    error_message = "policy.limits.enforcements_per_hour must be a whole number from 1 to 1000 or omitted, not ${jsonencode(var.policy.limits.enforcements_per_hour)}."
  }
  validation {
    condition = var.policy.existing.watch_days == null ? true : (
      var.policy.existing.watch_days >= 0 && var.policy.existing.watch_days <= 63 &&
      floor(var.policy.existing.watch_days) == var.policy.existing.watch_days
    )
    error_message = "policy.existing.watch_days must be a whole number from 0 to 63 or omitted, not ${jsonencode(var.policy.existing.watch_days)}."
  }

  # Rules.
  validation {
    condition = (
      alltrue([for rule in var.policy.rules : trimspace(rule.name) != ""]) &&
      length(distinct(var.policy.rules[*].name)) == length(var.policy.rules)
    )
    error_message = "policy.rules: each `name` must be unique and not blank. The names are ${jsonencode(var.policy.rules[*].name)}."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : anytrue([for condition in values(rule.when) : condition != null])])
    error_message = "policy.rules: `when` must contain at least one condition. It is empty in ${jsonencode([for rule in var.policy.rules : rule.name if alltrue([for condition in values(rule.when) : condition == null])])}."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [
        for patterns in concat(
          [rule.when.accounts, rule.when.regions, rule.when.images, rule.when.instance_types, rule.when.principals, rule.when.launch_templates],
          values(coalesce(rule.when.tags, {})),
        ) : patterns == null ? true : length(patterns) > 0 && alltrue([for pattern in patterns : pattern != null && pattern != ""])
      ]
    ]))
    error_message = "policy.rules: each list in `when` must contain at least one string and no empty strings. The conditions are ${jsonencode(var.policy.rules[*].when)}."
  }
  validation {
    condition = alltrue([
      for rule in var.policy.rules : rule.when.tags == null ? true : length(rule.when.tags) > 0 && !contains(keys(rule.when.tags), "")
    ])
    error_message = "policy.rules: `when.tags` must contain at least one tag and no empty keys, not ${jsonencode(var.policy.rules[*].when.tags)}."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for account in coalesce(rule.when.accounts, []) : can(regex("^[0-9]{12}$", account))]
    ]))
    error_message = "policy.rules: `when.accounts` must contain 12-digit account IDs without wildcards, not ${jsonencode(var.policy.rules[*].when.accounts)}."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for region in coalesce(rule.when.regions, []) : can(regex("^[a-z0-9*?-]+$", region))]
    ]))
    error_message = "policy.rules: `when.regions` must contain Regions such as `eu-west-1` or patterns such as `us-*`, not ${jsonencode(var.policy.rules[*].when.regions)}."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for image in coalesce(rule.when.images, []) : can(regex("^(ami-|[*?])", image))]
    ]))
    error_message = "policy.rules: `when.images` must contain AMI IDs (`ami-…`) or patterns, not ${jsonencode(var.policy.rules[*].when.images)}."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for type in coalesce(rule.when.instance_types, []) : can(regex("^[a-z0-9.*?-]+$", type))]
    ]))
    error_message = "policy.rules: `when.instance_types` must contain instance types such as `m7g.large` or patterns such as `m7g.*`, not ${jsonencode(var.policy.rules[*].when.instance_types)}."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [
        for principal in coalesce(rule.when.principals, []) : can(regex("^(arn:|[*?])|\\.amazonaws\\.com", principal))
      ]
    ]))
    error_message = "policy.rules: `when.principals` must contain ARNs, services such as `autoscaling.amazonaws.com`, or patterns, not ${jsonencode(var.policy.rules[*].when.principals)}."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for template in coalesce(rule.when.launch_templates, []) : can(regex("^(lt-|[*?])", template))]
    ]))
    error_message = "policy.rules: `when.launch_templates` must contain launch template IDs (`lt-…`) or patterns, not ${jsonencode(var.policy.rules[*].when.launch_templates)}."
  }
  validation {
    condition = alltrue([
      for rule in var.policy.rules : rule.action == null ? true : contains(["exempt", "report", "enforce", "stop", "terminate"], rule.action)
    ])
    error_message = "policy.rules: `action` must be `exempt`, `report`, `enforce`, `stop`, `terminate`, or omitted, not ${jsonencode(var.policy.rules[*].action)}."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.action != null || rule.require != null])
    error_message = "policy.rules: each rule must set `action`, `require`, or both. Neither is set in ${jsonencode([for rule in var.policy.rules : rule.name if rule.action == null && rule.require == null])}."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.action == "exempt" ? rule.require == null : rule.expires == null])
    error_message = "policy.rules: a rule with the action `exempt` cannot set `require`, and only such a rule can set `expires`. Change ${jsonencode([for rule in var.policy.rules : rule.name if rule.action == "exempt" ? rule.require != null : rule.expires != null])}."
  }
  validation {
    condition = alltrue([
      for rule in var.policy.rules : rule.expires == null ? true : can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", rule.expires)) && can(formatdate("YYYY", "${rule.expires}T00:00:00Z"))
    ])
    error_message = "policy.rules: `expires` must be a date in the format YYYY-MM-DD, not ${jsonencode(var.policy.rules[*].expires)}."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.even_if_replaced == null ? true : contains(["stop", "terminate"], coalesce(rule.action, "nothing"))])
    error_message = "policy.rules: only rules with the action `stop` or `terminate` can set `even_if_replaced`. It is set in ${jsonencode([for rule in var.policy.rules : rule.name if rule.even_if_replaced != null])}."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.reason == null ? true : trimspace(rule.reason) != ""])
    error_message = "policy.rules: `reason` must not be blank, but it is ${jsonencode(var.policy.rules[*].reason)}."
  }
}
