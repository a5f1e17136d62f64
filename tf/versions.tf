terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Bucket, key, region, encryption and lock are the pipeline's: it passes them to `terraform init`.
  backend "s3" {}
}

provider "aws" {
  default_tags {
    tags = {
      "gitops:stack" = var.name
    }
  }
}
