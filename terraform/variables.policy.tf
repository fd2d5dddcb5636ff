variable "policy" {
  description = <<-EOT
    What is required of instances, and what happens to those that lack it. The fields are those of policy.schema.json,
    but wherever that takes one value or a list, this takes a list. Terraform drops fields that it does not know without
    a word, so compare the output `policy` with what you meant.
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
      then = optional(string)
      require = optional(object({
        http_tokens            = optional(string)
        hop_limit              = optional(object({ at_least = optional(number), at_most = optional(number) }))
        http_endpoint          = optional(string)
        http_protocol_ipv6     = optional(string)
        instance_metadata_tags = optional(string)
      }))
      until            = optional(string)
      even_if_replaced = optional(bool)
      because          = optional(string)
    })), [])
    limits = optional(object({
      terminations_per_hour = optional(number, 10)
      grace_seconds         = optional(number, 60)
      mends_per_hour        = optional(number)
    }), {})
    existing = optional(object({
      usage_window_days = optional(number, 14)
      in_use            = optional(string, "report")
      unknown           = optional(string, "report")
      watch_days        = optional(number)
    }), {})
  })
  default = {
    require      = { http_tokens = "required" }
    on_violation = "report"
  }
  nullable = false

  # What is asked, by the policy and by its rules.
  validation {
    condition = alltrue([
      for require in concat([var.policy.require], var.policy.rules[*].require) :
      anytrue([for option in values(require) : option != null]) if require != null
    ])
    error_message = "policy: a `require` is empty, in the policy itself or in one of its rules: expected at least one of `http_tokens`, `hop_limit`, `http_endpoint`, `http_protocol_ipv6`, `instance_metadata_tags`."
  }
  validation {
    condition = alltrue([
      for require in concat([var.policy.require], var.policy.rules[*].require) :
      require.http_tokens == null || require.http_tokens == "required" if require != null
    ])
    error_message = "policy: `http_tokens` is ${jsonencode([for require in concat([var.policy.require], var.policy.rules[*].require) : require.http_tokens if require != null])}: expected `required`, or to be left out."
  }
  validation {
    condition = alltrue(flatten([
      for require in concat([var.policy.require], var.policy.rules[*].require) : [
        for option in [require.http_endpoint, require.http_protocol_ipv6, require.instance_metadata_tags] :
        option == null ? true : contains(["enabled", "disabled"], option)
      ] if require != null
    ]))
    error_message = "policy: `http_endpoint`, `http_protocol_ipv6`, `instance_metadata_tags` are ${jsonencode([for require in concat([var.policy.require], var.policy.rules[*].require) : [require.http_endpoint, require.http_protocol_ipv6, require.instance_metadata_tags] if require != null])}: expected `enabled`, `disabled`, or to be left out."
  }
  validation {
    condition = alltrue(flatten([
      for require in concat([var.policy.require], var.policy.rules[*].require) : [
        anytrue([for end in values(require.hop_limit) : end != null]),
        [for end in values(require.hop_limit) : end == null ? true : end >= 1 && end <= 64 && floor(end) == end],
        coalesce(require.hop_limit.at_least, 1) <= coalesce(require.hop_limit.at_most, 64),
      ] if require == null ? false : require.hop_limit != null
    ]))
    error_message = "policy: `hop_limit` is ${jsonencode([for require in concat([var.policy.require], var.policy.rules[*].require) : require.hop_limit if require != null])}: expected `at_least`, `at_most` or both, whole numbers from 1 to 64, the least no more than the most."
  }

  # What happens otherwise.
  validation {
    condition     = contains(["report", "enforce", "stop", "terminate"], var.policy.on_violation)
    error_message = "policy.on_violation is `${var.policy.on_violation}`: expected one of `report`, `enforce`, `stop`, `terminate`."
  }
  validation {
    condition = alltrue([
      for action in [var.policy.existing.in_use, var.policy.existing.unknown] :
      contains(["report", "enforce", "stop", "terminate"], action)
    ])
    error_message = "policy.existing: `in_use` (`${var.policy.existing.in_use}`) and `unknown` (`${var.policy.existing.unknown}`) are expected to be one of `report`, `enforce`, `stop`, `terminate`."
  }
  validation {
    condition = (
      var.policy.existing.usage_window_days >= 1 && var.policy.existing.usage_window_days <= 63 &&
      floor(var.policy.existing.usage_window_days) == var.policy.existing.usage_window_days
    )
    error_message = "policy.existing.usage_window_days is ${var.policy.existing.usage_window_days}: expected a whole number from 1 to 63."
  }
  validation {
    condition = (
      var.policy.limits.terminations_per_hour >= 0 && var.policy.limits.terminations_per_hour <= 100000 &&
      floor(var.policy.limits.terminations_per_hour) == var.policy.limits.terminations_per_hour
    )
    error_message = "policy.limits.terminations_per_hour is ${var.policy.limits.terminations_per_hour}: expected a whole number from 0 to 100000."
  }
  validation {
    # The function takes up to 600, but stops waiting at six tenths of its time, and Lambda gives 900 s at most.
    condition = (
      var.policy.limits.grace_seconds >= 0 && var.policy.limits.grace_seconds <= 510 &&
      floor(var.policy.limits.grace_seconds) == var.policy.limits.grace_seconds
    )
    error_message = "policy.limits.grace_seconds is ${var.policy.limits.grace_seconds}: expected a whole number from 0 to 510."
  }
  validation {
    condition = var.policy.limits.mends_per_hour == null ? true : (
      var.policy.limits.mends_per_hour >= 1 && var.policy.limits.mends_per_hour <= 1000 &&
      floor(var.policy.limits.mends_per_hour) == var.policy.limits.mends_per_hour
    )
    error_message = "policy.limits.mends_per_hour is ${jsonencode(var.policy.limits.mends_per_hour)}: expected a whole number from 1 to 1000, or to be left out."
  }
  validation {
    condition = var.policy.existing.watch_days == null ? true : (
      var.policy.existing.watch_days >= 0 && var.policy.existing.watch_days <= 63 &&
      floor(var.policy.existing.watch_days) == var.policy.existing.watch_days
    )
    error_message = "policy.existing.watch_days is ${jsonencode(var.policy.existing.watch_days)}: expected a whole number from 0 to 63, or to be left out."
  }

  # The rules.
  validation {
    condition = (
      alltrue([for rule in var.policy.rules : trimspace(rule.name) != ""]) &&
      length(distinct(var.policy.rules[*].name)) == length(var.policy.rules)
    )
    error_message = "policy.rules: names are ${jsonencode(var.policy.rules[*].name)}: expected each not to be blank, and to be given once."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : anytrue([for condition in values(rule.when) : condition != null])])
    error_message = "policy.rules: `when` of ${jsonencode([for rule in var.policy.rules : rule.name if alltrue([for condition in values(rule.when) : condition == null])])} is empty: expected at least one condition."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [
        for texts in concat(
          [rule.when.accounts, rule.when.regions, rule.when.images, rule.when.instance_types, rule.when.principals, rule.when.launch_templates],
          values(coalesce(rule.when.tags, {})),
        ) : texts == null ? true : length(texts) > 0 && alltrue([for text in texts : text != null && text != ""])
      ]
    ]))
    error_message = "policy.rules: `when` is ${jsonencode(var.policy.rules[*].when)}: expected at least one text in each list, and none that is empty."
  }
  validation {
    condition = alltrue([
      for rule in var.policy.rules : rule.when.tags == null ? true : length(rule.when.tags) > 0 && !contains(keys(rule.when.tags), "")
    ])
    error_message = "policy.rules: `when.tags` is ${jsonencode(var.policy.rules[*].when.tags)}: expected at least one tag, with a key that is not empty."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for account in coalesce(rule.when.accounts, []) : can(regex("^[0-9]{12}$", account))]
    ]))
    error_message = "policy.rules: `when.accounts` is ${jsonencode(var.policy.rules[*].when.accounts)}: expected account ids of 12 digits, without wildcards."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for region in coalesce(rule.when.regions, []) : can(regex("^[a-z0-9*?-]+$", region))]
    ]))
    error_message = "policy.rules: `when.regions` is ${jsonencode(var.policy.rules[*].when.regions)}: expected regions such as `eu-west-1`, or patterns such as `us-*`."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for image in coalesce(rule.when.images, []) : can(regex("^(ami-|[*?])", image))]
    ]))
    error_message = "policy.rules: `when.images` is ${jsonencode(var.policy.rules[*].when.images)}: expected ids of AMIs, `ami-…`, or patterns of ids."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for type in coalesce(rule.when.instance_types, []) : can(regex("^[a-z0-9.*?-]+$", type))]
    ]))
    error_message = "policy.rules: `when.instance_types` is ${jsonencode(var.policy.rules[*].when.instance_types)}: expected instance types such as `m7g.large`, or patterns such as `m7g.*`."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [
        for principal in coalesce(rule.when.principals, []) : can(regex("^(arn:|[*?])|\\.amazonaws\\.com", principal))
      ]
    ]))
    error_message = "policy.rules: `when.principals` is ${jsonencode(var.policy.rules[*].when.principals)}: expected ARNs, services such as `autoscaling.amazonaws.com`, or patterns."
  }
  validation {
    condition = alltrue(flatten([
      for rule in var.policy.rules : [for template in coalesce(rule.when.launch_templates, []) : can(regex("^(lt-|[*?])", template))]
    ]))
    error_message = "policy.rules: `when.launch_templates` is ${jsonencode(var.policy.rules[*].when.launch_templates)}: expected ids of launch templates, `lt-…`, or patterns of ids."
  }
  validation {
    condition = alltrue([
      for rule in var.policy.rules : rule.then == null ? true : contains(["exempt", "report", "enforce", "stop", "terminate"], rule.then)
    ])
    error_message = "policy.rules: `then` is ${jsonencode(var.policy.rules[*].then)}: expected `exempt`, `report`, `enforce`, `stop`, `terminate`, or to be left out."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.then != null || rule.require != null])
    error_message = "policy.rules: ${jsonencode([for rule in var.policy.rules : rule.name if rule.then == null && rule.require == null])} say nothing: expected `then`, `require` or both."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.then == "exempt" ? rule.require == null : rule.until == null])
    error_message = "policy.rules: ${jsonencode([for rule in var.policy.rules : rule.name if rule.then == "exempt" ? rule.require != null : rule.until != null])} do not fit together: expected no `require` beside `exempt`, and `until` beside `exempt` only."
  }
  validation {
    condition = alltrue([
      for rule in var.policy.rules : rule.until == null ? true : can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", rule.until)) && can(formatdate("YYYY", "${rule.until}T00:00:00Z"))
    ])
    error_message = "policy.rules: `until` is ${jsonencode(var.policy.rules[*].until)}: expected days of the calendar, YYYY-MM-DD."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.even_if_replaced == null ? true : contains(["stop", "terminate"], coalesce(rule.then, "nothing"))])
    error_message = "policy.rules: ${jsonencode([for rule in var.policy.rules : rule.name if rule.even_if_replaced != null])} have `even_if_replaced`: expected only in rules that stop or terminate."
  }
  validation {
    condition     = alltrue([for rule in var.policy.rules : rule.because == null ? true : trimspace(rule.because) != ""])
    error_message = "policy.rules: `because` is ${jsonencode(var.policy.rules[*].because)}: expected none to be blank."
  }
}
