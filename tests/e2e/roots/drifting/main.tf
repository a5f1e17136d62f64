# Things that can be changed by hand, and one whose value nobody may see. For tests of drift.
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

variable "secret" {
  type      = string
  default   = "secret-before"
  sensitive = true
}

resource "aws_vpc" "this" {
  cidr_block = "10.40.0.0/16"
}

resource "aws_subnet" "this" {
  for_each = { changed = "10.40.1.0/24", gone = "10.40.2.0/24", kept = "10.40.3.0/24" }

  vpc_id     = aws_vpc.this.id
  cidr_block = each.value

  tags = {
    Name = each.key
  }
}

resource "aws_ssm_parameter" "this" {
  name  = var.parameter
  type  = "SecureString"
  value = var.secret
}
