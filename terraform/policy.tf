# The policy document that the function reads, and the actions that it can lead to.

locals {
  # The function does not accept null.
  requires = [
    for require in concat([var.policy.require], var.policy.rules[*].require) : require == null ? null : {
      for key, value in merge(require, {
        hop_limit = require.hop_limit == null ? null : { for key, value in require.hop_limit : key => value if value != null }
      }) : key => value if value != null
    }
  ]
  rules = [
    for index, rule in var.policy.rules : {
      for key, value in merge(rule, {
        when    = { for key, value in rule.when : key => value if value != null }
        require = local.requires[index + 1]
      }) : key => value if value != null
    }
  ]
  policy = jsonencode(merge(var.policy, {
    version       = 1
    require       = local.requires[0]
    rules         = local.rules
    new_instances = { for key, value in var.policy.new_instances : key => value if value != null }
    existing      = { for key, value in var.policy.existing : key => value if value != null }
    limits        = { for key, value in var.policy.limits : key => value if value != null }
  }))

  # `length` returns characters.
  base64       = base64encode(local.policy)
  policy_bytes = length(local.base64) / 4 * 3 - length(regexall("=", local.base64))

  actions = toset(compact(concat(
    [var.policy.on_violation, var.policy.new_instances.in_use, var.policy.existing.in_use, var.policy.existing.unknown],
    var.policy.rules[*].action,
  )))
  can = {
    # Enforcement is the fallback where an instance cannot be stopped or terminated.
    enforce   = length(setintersection(local.actions, ["enforce", "stop", "terminate"])) > 0
    stop      = contains(local.actions, "stop")
    terminate = contains(local.actions, "terminate")
  }
}
