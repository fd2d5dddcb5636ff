# Account-level defaults for launches that do not specify metadata options (optional).

resource "aws_ec2_instance_metadata_defaults" "this" {
  for_each                    = toset(var.account_defaults == null ? [] : local.regions)
  region                      = each.key
  http_tokens                 = var.account_defaults.http_tokens
  http_put_response_hop_limit = var.account_defaults.hop_limit
  instance_metadata_tags      = var.account_defaults.instance_metadata_tags
}
