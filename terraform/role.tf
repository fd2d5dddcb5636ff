# The permissions of the function: only what the policy can lead to, only in the Regions that the module covers.

locals {
  permissions = jsondecode(file("${path.module}/permissions.json"))

  # Listing the ARN of every Region could exceed the size of an inline policy, so a condition restricts the `*`.
  instances  = "arn:${local.partition}:ec2:*:${local.account}:instance/*"
  in_regions = { StringEquals = { "aws:RequestedRegion" = local.regions } }

  # A persistent Spot Instance request would launch a stopped or terminated instance again.
  describe_spot = ["ec2:DescribeSpotInstanceRequests"]

  # People and Terraform write the other items of the state table: see state.tf.
  write_state = ["dynamodb:UpdateItem"]

  statements = concat(
    [
      {
        Sid    = "Describe"
        Effect = "Allow"
        Action = local.permissions.always
        # None of these actions supports resource-level permissions.
        Resource = ["*"]
        # DescribeRegions is called in the home Region.
        Condition = { StringEquals = { "aws:RequestedRegion" = sort(distinct(concat(local.regions, [local.home]))) } }
      },
      {
        Sid       = "WriteLogs"
        Effect    = "Allow"
        Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource  = ["${local.arn.log_group}:*"] # log streams
        Condition = {}
      },
      {
        Sid       = "SendResults"
        Effect    = "Allow"
        Action    = ["events:PutEvents"]
        Resource  = [local.arn.bus]
        Condition = {}
      },
      {
        Sid       = "ReadState"
        Effect    = "Allow"
        Action    = setsubtract(local.permissions.state, local.write_state)
        Resource  = [local.arn.table]
        Condition = {}
      },
      {
        Sid       = "WriteState"
        Effect    = "Allow"
        Action    = setintersection(local.permissions.state, local.write_state)
        Resource  = [local.arn.table]
        Condition = local.on_keys.function
      },
      # The function cannot weaken an instance, whatever the policy says. `StringNotEquals` also matches calls that do not
      # set the option, and `Null` exempts these.
      {
        Sid      = "DenyOptionalTokens"
        Effect   = "Deny"
        Action   = ["ec2:ModifyInstanceMetadataOptions"]
        Resource = ["*"] # every instance
        Condition = {
          StringNotEquals = { "ec2:Attribute/HttpTokens" = "required" }
          Null            = { "ec2:Attribute/HttpTokens" = "false" }
        }
      },
      {
        Sid      = "DenyEnabledEndpoint"
        Effect   = "Deny"
        Action   = ["ec2:ModifyInstanceMetadataOptions"]
        Resource = ["*"] # every instance
        Condition = {
          StringNotEquals = { "ec2:Attribute/HttpEndpoint" = "disabled" }
          Null            = { "ec2:Attribute/HttpEndpoint" = "false" }
        }
      },
    ],
    [
      for statement in [{
        Sid       = "Enforce"
        Effect    = "Allow"
        Action    = local.permissions.enforce
        Resource  = [local.instances]
        Condition = local.in_regions
      }] : statement if local.can.enforce
    ],
    [
      for statement in [{
        Sid       = "Stop"
        Effect    = "Allow"
        Action    = setsubtract(local.permissions.stop, local.describe_spot)
        Resource  = [local.instances]
        Condition = local.in_regions
      }] : statement if local.can.stop
    ],
    [
      for statement in [{
        Sid       = "Terminate"
        Effect    = "Allow"
        Action    = setsubtract(local.permissions.terminate, local.describe_spot)
        Resource  = [local.instances]
        Condition = local.in_regions
      }] : statement if local.can.terminate
    ],
    [
      for statement in [{
        Sid    = "DescribeSpotRequests"
        Effect = "Allow"
        Action = setintersection(concat(local.permissions.stop, local.permissions.terminate), local.describe_spot)
        # The action does not support resource-level permissions.
        Resource  = ["*"]
        Condition = local.in_regions
      }] : statement if local.can.stop || local.can.terminate
    ],
    [
      for statement in [{
        Sid       = "UseKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [var.kms_key_arn]
        Condition = {}
      }] : statement if var.kms_key_arn != null
    ],
  )
}

resource "aws_iam_role" "function" {
  name                 = "${var.name}-function"
  description          = "Execution role of the function ${var.name}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  name = "enforcer"
  role = aws_iam_role.function.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in local.statements : { for key, value in statement : key => value if key != "Condition" || length(value) > 0 }
    ]
  })
}
