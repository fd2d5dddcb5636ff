# The policy as the function reads it, and what it can lead to.

locals {
  # What is left out is left out: the function takes no `null`.
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
    require  = local.requires[0]
    rules    = local.rules
    limits   = { for key, value in var.policy.limits : key => value if value != null }
    existing = { for key, value in var.policy.existing : key => value if value != null }
  }))

  # Lambda counts names and values of all variables, in bytes; `length` counts characters.
  base64          = base64encode(local.policy)
  variables_bytes = length("IMDS_POLICY") + length(local.base64) / 4 * 3 - length(regexall("=", local.base64))

  actions = toset(compact(concat(
    [var.policy.on_violation, var.policy.existing.in_use, var.policy.existing.unknown],
    var.policy.rules[*].then,
  )))
  can = {
    # Stopping and terminating fall back to mending.
    mend      = length(setintersection(local.actions, ["enforce", "stop", "terminate"])) > 0
    stop      = contains(local.actions, "stop")
    terminate = contains(local.actions, "terminate")
  }
}
