# What a stack has: three roles, three build projects and two pipelines.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "stack" {
  description = "An element of the file of stacks."
  type        = any
}

variable "shared" {
  description = "What all stacks share."

  type = object({
    name            = string
    region          = string
    account         = string
    key             = string
    connection      = string
    state_bucket    = string
    artifact_bucket = string
    log_group       = string
  })
}

locals {
  name            = var.shared.name
  region          = var.shared.region
  account         = var.shared.account
  key             = var.shared.key
  connection      = var.shared.connection
  state_bucket    = var.shared.state_bucket
  artifact_bucket = var.shared.artifact_bucket
  artifacts       = "arn:aws:s3:::${local.artifact_bucket}"
  states          = "arn:aws:s3:::${local.state_bucket}"
  table           = "arn:aws:dynamodb:${local.region}:${local.account}:table/${local.name}-lock"
  builds          = "arn:aws:logs:${local.region}:${local.account}:log-group:${var.shared.log_group}"
  pipeline        = "arn:aws:codepipeline:${local.region}:${local.account}"
  project         = "arn:aws:codebuild:${local.region}:${local.account}:project"
  use_key         = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
  read_bucket     = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket"]
  use_connection  = ["codeconnections:UseConnection", "codestar-connections:UseConnection"]
  version         = "2012-10-17"

  # CodePipeline takes the first 20 characters of a pipeline's name for its artifacts.
  own_artifacts     = substr("${local.name}-${var.stack.name}", 0, 20)
  destroy_artifacts = substr("${local.name}-${var.stack.name}-destroy", 0, 20)
}
