# A value that is marked sensitive, in everything that can hold one. For the search for it.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  backend "s3" {}
}

variable "parameter" {
  type = string
}

variable "canary" {
  type      = string
  default   = "canary-5b1f0c6e"
  sensitive = true
}

resource "aws_ssm_parameter" "this" {
  name  = var.parameter
  type  = "SecureString"
  value = var.canary
}

output "canary" {
  value     = var.canary
  sensitive = true
}
