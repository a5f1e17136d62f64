# Nothing but what must be said.
resource "aws_codebuild_project" "smallest" {
  name         = "tf-smallest"
  service_role = var.role

  source {
    type = "CODEPIPELINE"
  }

  artifacts {
    type = "CODEPIPELINE"
  }

  environment {
    type         = "LINUX_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "hashicorp/terraform:1.11.4"
  }
}

resource "aws_codebuild_project" "plan" {
  name                   = "tf-plan"
  description            = "Plans."
  service_role           = var.role
  build_timeout          = 30
  queued_timeout         = 60
  concurrent_build_limit = 1
  encryption_key         = var.key

  source {
    type      = "CODEPIPELINE"
    buildspec = <<-EOT
      version: 0.2
      phases:
        build:
          commands:
            - terraform plan
    EOT
  }

  artifacts {
    type = "CODEPIPELINE"
  }

  environment {
    type                        = "LINUX_CONTAINER"
    compute_type                = "BUILD_GENERAL1_MEDIUM"
    image                       = "hashicorp/terraform:1.11.4"
    image_pull_credentials_type = "SERVICE_ROLE"
    privileged_mode             = true

    # Their order is AWS's and Terraform's business; to the modules they are a set.
    environment_variable {
      name  = "TF_IN_AUTOMATION"
      value = "1"
    }

    environment_variable {
      name  = "EMPTY"
      value = ""
    }

    environment_variable {
      name  = "LEVEL"
      value = "/gitops/level"
      type  = "PARAMETER_STORE"
    }

    environment_variable {
      name  = "PASSWORD"
      value = "gitops/password:value"
      type  = "SECRETS_MANAGER"
    }
  }

  cache {
    type  = "LOCAL"
    modes = ["LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE"]
  }

  logs_config {
    cloudwatch_logs {
      group_name  = "/gitops/builds"
      stream_name = "plan"
    }

    s3_logs {
      status              = "ENABLED"
      location            = "${var.bucket}/logs"
      encryption_disabled = true
      bucket_owner_access = "FULL"
    }
  }

  tags = {
    team  = "platform"
    stage = "plan"
  }
}

# Logs that are off, a key that is named by its alias's ARN, a Lambda.
resource "aws_codebuild_project" "quiet" {
  name           = "tf-quiet"
  service_role   = var.another_role
  encryption_key = "arn:aws:kms:eu-central-1:123456789012:alias/aws/s3"

  source {
    type = "CODEPIPELINE"
  }

  artifacts {
    type                = "CODEPIPELINE"
    packaging           = "NONE"
    encryption_disabled = false
  }

  environment {
    type         = "ARM_LAMBDA_CONTAINER"
    compute_type = "BUILD_LAMBDA_1GB"
    image        = "aws/codebuild/amazonlinux-aarch64-lambda-standard:python3.12"
  }

  cache {
    type = "NO_CACHE"
  }

  logs_config {
    cloudwatch_logs {
      status = "DISABLED"
    }

    s3_logs {
      status = "DISABLED"
    }
  }
}

# A fleet of one's own.
resource "aws_codebuild_project" "fleet" {
  name         = "tf-fleet"
  service_role = var.role

  source {
    type = "CODEPIPELINE"
  }

  artifacts {
    type = "CODEPIPELINE"
  }

  environment {
    type         = "LINUX_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/standard:7.0"

    fleet {
      fleet_arn = "arn:aws:codebuild:eu-central-1:123456789012:fleet/builders:0fa41ee2-4d5c-4a7e-9c11-3c0f7d1f7a55"
    }
  }
}
