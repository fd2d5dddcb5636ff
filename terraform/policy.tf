# The policy document that the function reads, and the actions that it can lead to.

locals {
  # Requirements, without the attributes that are null.
  requires = [
    for require in concat([var.policy.require], [for rule in try(var.policy.rules[*], []) : try(rule.require, null)]) : require == null ? null : {
      for key, value in merge(require, {
        hop_limit = try({ for key, value in require.hop_limit : key => value if value != null }, null)
      }) : key => value if value != null
    }
  ]
  rules = [
    for index, rule in try(var.policy.rules[*], []) : {
      for key, value in merge(rule, {
        when    = { for key, value in rule.when : key => value if value != null }
        require = local.requires[index + 1]
      }) : key => value if value != null
    }
  ]
  # What is left out has the default of the function. There, null is not a value, except for one limit.
  policy = jsonencode({
    for key, value in merge(var.policy, {
      version       = 1
      require       = local.requires[0]
      rules         = try(var.policy.rules, null) == null ? null : local.rules
      new_instances = try({ for key, value in var.policy.new_instances : key => value if value != null }, null)
      existing      = try({ for key, value in var.policy.existing : key => value if value != null }, null)
      limits        = try({ for key, value in var.policy.limits : key => value if value != null || key == "existing_per_hour" }, null)
    }) : key => value if value != null && key != "$schema"
  })

  # The values of fields that other parts of the module need, also where they are left out.
  policy_values = {
    for part in ["new_instances", "existing", "limits"] : part => {
      for name, field in local.policy_fields[part] : name => try(var.policy[part][name], null) == null ? field.default : var.policy[part][name] if can(field.from)
    }
  }

  actions = toset(compact(concat(
    [var.policy.on_violation],
    [for field in [["new_instances", "in_use"], ["existing", "in_use"], ["existing", "unknown"]] : try(var.policy[field[0]][field[1]], null)],
    [for rule in local.rules : try(rule.action, null)],
  )))
  can = {
    # Enforcement is the fallback where an instance cannot be stopped or terminated.
    enforce   = length(setintersection(local.actions, ["enforce", "stop", "terminate"])) > 0
    stop      = contains(local.actions, "stop")
    terminate = contains(local.actions, "terminate")
  }
}
