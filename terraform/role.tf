# What the function may do: no more than the policy can lead to, in no region but those guarded.

locals {
  permissions = jsondecode(file("${path.module}/permissions.json"))

  # EC2 names regions in ARNs, but a list of them would outgrow an inline policy: the condition narrows the `*`.
  instances = "arn:${local.partition}:ec2:*:${local.account}:instance/*"
  here      = { StringEquals = { "aws:RequestedRegion" = local.regions } }

  statements = concat(
    [
      {
        Sid    = "Look"
        Effect = "Allow"
        Action = local.permissions.always
        # None of these can be limited to resources.
        Resource = ["*"]
        # The regions themselves are asked for in the home region.
        Condition = { StringEquals = { "aws:RequestedRegion" = sort(distinct(concat(local.regions, [local.home]))) } }
      },
      {
        Sid       = "Log"
        Effect    = "Allow"
        Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource  = ["${local.arn.log_group}:*"] # its streams
        Condition = {}
      },
      {
        Sid       = "TellResults"
        Effect    = "Allow"
        Action    = ["events:PutEvents"]
        Resource  = [local.arn.bus]
        Condition = {}
      },
      {
        Sid       = "KeepWhatFailed"
        Effect    = "Allow"
        Action    = ["sqs:SendMessage"]
        Resource  = [local.arn.on_failure]
        Condition = {}
      },
    ],
    [
      for statement in [
        {
          Sid       = "Mend"
          Effect    = "Allow"
          Action    = setsubtract(local.permissions.mend, ["ec2:CreateTags"])
          Resource  = [local.instances]
          Condition = local.here
        },
        {
          Sid      = "Mark"
          Effect   = "Allow"
          Action   = setintersection(local.permissions.mend, ["ec2:CreateTags"])
          Resource = [local.instances]
          Condition = merge(local.here, {
            "ForAllValues:StringLike" = { "aws:TagKeys" = ["imds-enforcer:*"] }
            # `ForAllValues` holds for no keys too.
            Null = { "aws:TagKeys" = "false" }
          })
        },
      ] : statement if local.can.mend
    ],
    [
      for statement in [{
        Sid       = "Stop"
        Effect    = "Allow"
        Action    = local.permissions.stop
        Resource  = [local.instances]
        Condition = local.here
      }] : statement if local.can.stop
    ],
    [
      for statement in [{
        Sid       = "Terminate"
        Effect    = "Allow"
        Action    = local.permissions.terminate
        Resource  = [local.instances]
        Condition = local.here
      }] : statement if local.can.terminate
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
  description          = "The function ${var.name}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
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
