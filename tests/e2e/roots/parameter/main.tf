# One resource in AWS, quick to make and to delete. For tests of the credentials that make it.
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

resource "aws_ssm_parameter" "this" {
  name  = var.parameter
  type  = "String"
  value = "built by the pipeline"
}
