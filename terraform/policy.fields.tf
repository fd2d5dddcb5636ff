# The fields of the policy, by the object that contains them, as in policy.schema.json. `each` is a regular expression for a
# JSON value, of which a field contains one or a list.

locals {
  # A character of a JSON string.
  char    = "(?:[^\"\\\\]|\\\\.)"
  pattern = "\"${local.char}+\""

  policy_fields = {
    policy = {
      "$schema"     = { json = "\".*\"", must = "be a string" }
      version       = { json = "1", must = "be 1" }
      require       = local.an_object
      on_violation  = { one_of = ["report", "enforce", "stop", "terminate"] }
      rules         = { json = "\\[.*\\]", must = "be a list" }
      new_instances = local.an_object
      existing      = local.an_object
      limits        = local.an_object
    }
    require = {
      http_tokens            = { one_of = ["required"] }
      hop_limit              = local.an_object
      http_endpoint          = { one_of = ["disabled"] } # the function never enables an endpoint
      http_protocol_ipv6     = { one_of = ["enabled", "disabled"] }
      instance_metadata_tags = { one_of = ["enabled", "disabled"] }
    }
    hop_limit = {
      at_least = { from = 1, to = 64 }
      at_most  = { from = 1, to = 64 }
    }
    rule = {
      name             = local.a_text
      when             = local.an_object
      action           = { one_of = ["exempt", "report", "enforce", "stop", "terminate"] }
      require          = local.an_object
      expires          = { json = "\"[0-9]{4}-[0-9]{2}-[0-9]{2}\"", must = "be a date such as \"2027-03-31\"" }
      even_if_replaced = local.a_bool
      reason           = local.a_text
    }
    when = {
      accounts         = { each = "\"[0-9]{12}\"", must = "contain 12-digit account IDs without wildcards" }
      regions          = { each = "\"[a-z0-9*?-]+\"", must = "contain Regions such as `eu-west-1` or patterns such as `us-*`" }
      tags             = { json = "\\{(?:${local.tag}(?:,${local.tag})*)\\}", must = "contain tag keys, each with one or more patterns, and no empty strings" }
      images           = { each = "\"(?:ami-|[*?])${local.char}*\"", must = "contain AMI IDs (`ami-…`) or patterns" }
      instance_types   = { each = "\"[a-z0-9.*?-]+\"", must = "contain instance types such as `m7g.large` or patterns such as `m7g.*`" }
      principals       = { each = "\"(?:(?:arn:|[*?])${local.char}*|${local.char}*\\.amazonaws\\.com${local.char}*)\"", must = "contain ARNs, services such as `autoscaling.amazonaws.com`, or patterns" }
      auto_scaling     = local.a_bool
      launch_templates = { each = "\"(?:lt-|[*?])${local.char}*\"", must = "contain launch template IDs (`lt-…`) or patterns" }
    }
    new_instances = {
      disrupt_within_minutes = { from = 1, to = 60, default = 15 }
      enforce_within_hours   = { from = 1, to = 168, default = 24 }
      in_use                 = { one_of = ["report", "enforce"] }
      # The function accepts 600, but waits for at most 60 % of its timeout, which Lambda limits to 900 seconds.
      grace_seconds         = { from = 0, to = 510, default = 60 }
      enforce_grace_seconds = { from = 0, to = 510, default = 0 }
    }
    existing = {
      usage_window_days  = { from = 1, to = 63, default = 14 }
      usage_data_hours   = { from = 1, to = 168, default = 24 }
      in_use             = { one_of = ["report", "enforce"] }
      unknown            = { one_of = ["report", "enforce"] }
      watch_days         = { from = 0, to = 63, default = 0 }
      stop_when_rejected = local.a_bool
    }
    limits = {
      disruptions_per_hour  = { from = 0, to = 1000, default = 10 }
      enforcements_per_hour = { from = 1, to = 1000, default = 6 }
      existing_per_hour     = { from = 0, to = 10000, default = 50 } # null means that there is no limit
    }
  }
  an_object = { json = ".*", must = "be an object" } # its fields are checked
  a_text    = { json = "\"${local.char}*(?:[^\"\\\\\\s]|\\\\[^nrt])${local.char}*\"", must = "be a string that is not blank" }
  a_bool    = { json = "(?:true|false)", must = "be `true` or `false`" }
  tag       = "${local.pattern}:(?:${local.pattern}|\\[${local.pattern}(?:,${local.pattern})*\\])"

  # For each field, a regular expression for its JSON value, and what a value must be.
  policy_checks = {
    for object, fields in local.policy_fields : object => {
      for name, field in fields : name => {
        json = try(
          "^\"(?:${join("|", field.one_of)})\"$",
          format("^(?:%[1]s|\\[%[1]s(?:,%[1]s)*\\])$", field.each),
          field.from < 0 ? "" : "^[0-9]+$",
          "^${field.json}$",
        )
        must = try(
          "be `${join("` or `", field.one_of)}`",
          "be a whole number from ${field.from} to ${field.to}",
          field.must,
        )
        from = try(field.from, null)
        to   = try(field.to, null)
      }
    }
  }
}
