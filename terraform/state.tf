# The state table: what the function remembers, what people exempt and pause, and a policy that is too long for a variable.

locals {
  # Items by who writes them. The function changes only its own.
  keys = {
    function = ["limit#*", "drift#*", "existing#*", "watch#*", "launcher#*", "lease#*"]
    people   = ["exempt#*", "pause#*"]
    # Of the function, and also read by `imdsctl enforce --policy`.
    watched = ["watch#*"]
  }
  on_keys = {
    for writer, keys in local.keys : writer => {
      "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = keys }
      # `ForAllValues` also matches a request without keys.
      Null = { "dynamodb:LeadingKeys" = "false" }
    }
  }
}

resource "aws_dynamodb_table" "state" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "key"
  deletion_protection_enabled = var.state_deletion_protection
  tags                        = var.tags

  attribute {
    name = "key"
    type = "S"
  }
  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }
  point_in_time_recovery {
    enabled = true
  }
  # Without it, DynamoDB encrypts the table with a key of its own.
  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}

# The function looks up a policy by its hash, so that it never starts with another one. The item has a new address for each
# policy: it is created before the function changes, and the previous one is destroyed afterwards.
resource "aws_dynamodb_table_item" "policy" {
  for_each   = toset(local.policy_fits ? [] : [local.policy_hash])
  table_name = aws_dynamodb_table.state.name
  hash_key   = aws_dynamodb_table.state.hash_key
  item = jsonencode({
    key      = { S = "policy#${each.key}" }
    document = { S = local.policy }
  })

  lifecycle {
    create_before_destroy = true
    precondition {
      condition     = local.policy_bytes <= local.largest_policy
      error_message = "policy: the JSON document must not exceed ${local.largest_policy} bytes, but it has ${local.policy_bytes}. Merge rules that differ in only one list, use wildcards, or exempt instances by one tag instead of many IDs."
    }
  }
}

locals {
  exemptions_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "ExemptAndPause"
        Effect    = "Allow"
        Action    = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        Resource  = local.arn.table
        Condition = local.on_keys.people
        },
        # A scan names no keys, so that it cannot be limited to some.
        {
          Sid      = "ListExemptionsAndPauses"
          Effect   = "Allow"
          Action   = "dynamodb:Scan"
          Resource = local.arn.table
        },
        {
          Sid       = "ReadWatchedInstances"
          Effect    = "Allow"
          Action    = "dynamodb:BatchGetItem"
          Resource  = local.arn.table
          Condition = local.on_keys.watched
      }],
      [
        for key in var.kms_key_arn[*] : {
          Sid       = "UseKeyOfTable"
          Effect    = "Allow"
          Action    = "kms:Decrypt"
          Resource  = key
          Condition = { StringEquals = { "kms:ViaService" = "dynamodb.${local.home}.${data.aws_partition.current.dns_suffix}" } }
        }
      ],
    )
  })
}
