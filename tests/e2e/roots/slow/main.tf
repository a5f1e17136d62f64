# A resource, and then nothing for a while. For tests of what is left of a build that was stopped in between.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  backend "s3" {}
}

resource "aws_vpc" "this" {
  cidr_block = "10.30.0.0/16"
}

resource "terraform_data" "slow" {
  depends_on = [aws_vpc.this]

  provisioner "local-exec" {
    command = "sleep 120"
  }
}
