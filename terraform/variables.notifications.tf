variable "notify_reported" {
  description = "Whether to publish once a day how many instances are non-compliant and only reported, for each account."
  type        = bool
  default     = false
  nullable    = false
}
