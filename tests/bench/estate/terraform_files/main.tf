# The estate as a team would write it in Terraform: what is shared, and a module for each stack.
# terraform.py beside this directory writes stacks.json, buildspecs/ and notices.json.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region                      = local.region
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true

  default_tags {
    tags = {
      owner           = "platform"
      "gitops:estate" = local.name
    }
  }
}

variable "stacks" {
  description = "The file of the stacks."
  type        = string
  default     = "stacks.json"
}

locals {
  name    = "gitops"
  region  = "eu-central-1"
  account = "123456789012"

  stacks = { for stack in jsondecode(file("${path.module}/${var.stacks}")) : stack.name => stack }

  state_bucket    = "${local.name}-${local.account}-${local.region}-state"
  artifact_bucket = "${local.name}-${local.account}-${local.region}-artifacts"
  artifacts       = "arn:aws:s3:::${local.artifact_bucket}"
  states          = "arn:aws:s3:::${local.state_bucket}"
  table           = "arn:aws:dynamodb:${local.region}:${local.account}:table/${local.name}-lock"
  builds          = "arn:aws:logs:${local.region}:${local.account}:log-group:/${local.name}/builds"
  pipeline        = "arn:aws:codepipeline:${local.region}:${local.account}"
  project         = "arn:aws:codebuild:${local.region}:${local.account}:project"
  rules           = "arn:aws:events:${local.region}:${local.account}:rule/${local.name}-notices-*"
  topic           = "arn:aws:sns:${local.region}:${local.account}:${local.name}-notices"
  alarms          = "arn:aws:sns:${local.region}:${local.account}:${local.name}-alarms"
  queue           = "arn:aws:sqs:${local.region}:${local.account}:${local.name}-undelivered"
  machine         = "arn:aws:states:${local.region}:${local.account}:stateMachine:${local.name}-notices"
  key             = aws_kms_key.this.arn
  connection      = aws_codeconnections_connection.github.arn
  version         = "2012-10-17"
}

module "stack" {
  source   = "./stack"
  for_each = local.stacks
  stack    = each.value

  shared = {
    name            = local.name
    region          = local.region
    account         = local.account
    key             = local.key
    connection      = local.connection
    state_bucket    = aws_s3_bucket.this[local.state_bucket].bucket
    artifact_bucket = aws_s3_bucket.this[local.artifact_bucket].bucket
    log_group       = aws_cloudwatch_log_group.builds.name
  }
}
