# A multi-Region trail of management events (optional). EventBridge receives API calls only if a trail logs them.

locals {
  # S3 limits names to 63 characters.
  trail_suffix = "trail-${local.account}-${local.home}"
  trail_name   = "${var.name}-${local.trail_suffix}"
  trail = {
    bucket = length(local.trail_name) <= 63 ? local.trail_name : join("-", [
      trimsuffix(substr(var.name, 0, 63 - 10 - length(local.trail_suffix)), "-"), substr(sha256(local.trail_name), 0, 8), local.trail_suffix
    ])
    arn = "arn:${local.partition}:cloudtrail:${local.home}:${local.account}:trail/${var.name}"
  }
}

resource "aws_cloudtrail" "this" {
  count                         = var.create_trail ? 1 : 0
  name                          = var.name
  s3_bucket_name                = aws_s3_bucket.trail[0].bucket
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  tags                          = var.tags
  depends_on                    = [aws_s3_bucket_policy.trail]
}

resource "aws_s3_bucket" "trail" {
  count  = var.create_trail ? 1 : 0
  bucket = local.trail.bucket
  tags   = var.tags
}

resource "aws_s3_bucket_public_access_block" "trail" {
  count                   = var.create_trail ? 1 : 0
  bucket                  = aws_s3_bucket.trail[0].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "trail" {
  count  = var.create_trail ? 1 : 0
  bucket = aws_s3_bucket.trail[0].bucket
  rule {
    id     = "expire"
    status = "Enabled"
    filter {}
    expiration {
      days = 365
    }
  }
}

resource "aws_s3_bucket_policy" "trail" {
  count  = var.create_trail ? 1 : 0
  bucket = aws_s3_bucket.trail[0].bucket
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "CloudTrailAclCheck"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = "arn:${local.partition}:s3:::${local.trail.bucket}"
        Condition = { StringEquals = { "aws:SourceArn" = local.trail.arn } }
      },
      {
        Sid       = "CloudTrailWrite"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "arn:${local.partition}:s3:::${local.trail.bucket}/AWSLogs/${local.account}/*"
        Condition = { StringEquals = { "aws:SourceArn" = local.trail.arn, "s3:x-amz-acl" = "bucket-owner-full-control" } }
      },
      {
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = ["arn:${local.partition}:s3:::${local.trail.bucket}", "arn:${local.partition}:s3:::${local.trail.bucket}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
