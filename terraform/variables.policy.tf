variable "policy" {
  description = <<-EOT
    The metadata options that instances must have, and the action to take on instances that do not have them: the policy
    document, with the fields of policy.schema.json. Fields that are left out have the defaults of the function. Unknown
    fields are refused.
  EOT
  # An object type would drop unknown fields.
  type = any
  default = {
    require      = { http_tokens = "required" }
    on_violation = "report"
  }
  nullable = false

  # The fields: see policy.fields.tf. Where the other conditions cannot be evaluated, this one is not met.
  validation {
    condition     = templatefile("${path.module}/policy.faults.tftpl", { policy = var.policy, checks = local.policy_checks }) == ""
    error_message = templatefile("${path.module}/policy.faults.tftpl", { policy = var.policy, checks = local.policy_checks })
  }
  validation {
    condition     = try(var.policy.require, null) != null && try(var.policy.on_violation, null) != null
    error_message = "policy must have `require` and `on_violation`."
  }

  # Requirements of the policy and of its rules.
  validation {
    condition = try(alltrue([
      for require in concat([var.policy.require], [for rule in try(var.policy.rules[*], []) : try(rule.require, null)]) :
      require == null ? true : anytrue([for option in values(require) : option != null])
    ]), true)
    error_message = "policy.require and the `require` of each rule must set at least one of `http_tokens`, `hop_limit`, `http_endpoint`, `http_protocol_ipv6`, or `instance_metadata_tags`."
  }
  validation {
    condition = try(alltrue([
      for hops in concat([try(var.policy.require.hop_limit, null)], [for rule in try(var.policy.rules[*], []) : try(rule.require.hop_limit, null)]) :
      hops == null ? true : (
        anytrue([for bound in values(hops) : bound != null]) &&
        try(coalesce(hops.at_least), 1) <= try(coalesce(hops.at_most), 64)
      )
    ]), true)
    error_message = "policy: `hop_limit` must set `at_least`, `at_most`, or both, with `at_least` no greater than `at_most`."
  }

  # Time spans.
  validation {
    condition = try(
      try(coalesce(var.policy.existing.usage_data_hours), 1) <= 24 * try(coalesce(var.policy.existing.usage_window_days), 14),
      true,
    )
    error_message = "policy.existing.usage_data_hours must fit into usage_window_days."
  }
  validation {
    condition = try(
      max(try(coalesce(var.policy.new_instances.grace_seconds), 60), try(coalesce(var.policy.new_instances.enforce_grace_seconds), 0)) + 60
      <= 60 * try(coalesce(var.policy.new_instances.disrupt_within_minutes), 15),
      true,
    )
    error_message = "policy.new_instances.disrupt_within_minutes must be at least a minute longer than grace_seconds and enforce_grace_seconds."
  }

  # Rules.
  validation {
    condition     = try(alltrue([for rule in try(var.policy.rules[*], []) : try(rule.name, null) != null && try(rule.when, null) != null]), true)
    error_message = "policy.rules: each rule must have `name` and `when`."
  }
  validation {
    condition     = try(length(distinct([for rule in var.policy.rules[*] : rule.name])) == length(var.policy.rules[*]), true)
    error_message = "policy.rules: each `name` must be unique. The names are ${jsonencode([for rule in try(var.policy.rules[*], []) : try(rule.name, null)])}."
  }
  validation {
    condition     = try(alltrue([for rule in var.policy.rules[*] : anytrue([for condition in values(rule.when) : condition != null])]), true)
    error_message = "policy.rules: `when` must contain at least one condition."
  }
  validation {
    condition = try(alltrue([
      for rule in var.policy.rules[*] : try(rule.action, null) != null || try(rule.require, null) != null
    ]), true)
    error_message = "policy.rules: each rule must set `action`, `require`, or both."
  }
  validation {
    condition = try(alltrue([
      for rule in var.policy.rules[*] : try(rule.action, null) == "exempt" ? try(rule.require, null) == null : try(rule.expires, null) == null
    ]), true)
    error_message = "policy.rules: a rule with the action `exempt` cannot set `require`, and only such a rule can set `expires`."
  }
  validation {
    condition = try(alltrue([
      for rule in var.policy.rules[*] : try(rule.expires, null) == null ? true : can(formatdate("YYYY", "${rule.expires}T00:00:00Z"))
    ]), true)
    error_message = "policy.rules: `expires` must be a date that exists."
  }
  validation {
    condition = try(alltrue([
      for rule in var.policy.rules[*] : try(rule.even_if_replaced, null) == null ? true : contains(["stop", "terminate"], try(coalesce(rule.action), "nothing"))
    ]), true)
    error_message = "policy.rules: only rules with the action `stop` or `terminate` can set `even_if_replaced`."
  }
}
