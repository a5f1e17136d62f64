# Three build projects and two pipelines of the stack.

locals {
  variables = {
    STACK_BRANCH     = var.stack.branch
    STACK_NAME       = var.stack.name
    STACK_PATH       = var.stack.path
    STATE_BUCKET     = local.state_bucket
    STATE_KEY        = "${var.stack.name}/terraform.tfstate"
    TERRAFORM        = "terraform"
    TF_IN_AUTOMATION = "1"
    TF_CLI_ARGS_init = join(" ", [
      "-input=false",
      "-lockfile=readonly",
      "'-backend-config=bucket=${local.state_bucket}'",
      "'-backend-config=key=${var.stack.name}/terraform.tfstate'",
      "'-backend-config=region=${local.region}'",
      "'-backend-config=encrypt=true'",
      "'-backend-config=kms_key_id=${local.key}'",
      "'-backend-config=dynamodb_table=${local.name}-lock'",
      "'-backend-config=use_lockfile=true'",
    ])
  }
  projects = {
    plan    = { role = aws_iam_role.plan.arn, variables = {} }
    apply   = { role = aws_iam_role.apply.arn, variables = { ARTIFACT_BUCKET = local.artifact_bucket } }
    destroy = { role = aws_iam_role.apply.arn, variables = { ARTIFACT_BUCKET = local.artifact_bucket } }
  }
  execution = { name = "EXECUTION_ID", value = "#{codepipeline.PipelineExecutionId}", type = "PLAINTEXT" }
  console   = "https://${local.region}.console.aws.amazon.com/codesuite/codebuild/${local.account}/projects"
  plan_data = "#{Plan.PLAN_SUMMARY}. #{Plan.PLAN_EFFECTS} Plan #{Plan.PLAN_ID}, commit #{Source.CommitId} on #{Source.BranchName}."
}

resource "aws_codebuild_project" "this" {
  for_each               = local.projects
  name                   = "${local.name}-${var.stack.name}-${each.key}"
  description            = "Terraform ${each.key} of the stack ${var.stack.name}"
  service_role           = each.value.role
  build_timeout          = 60
  queued_timeout         = 480
  concurrent_build_limit = 1
  encryption_key         = local.key
  tags                   = { "gitops:stack" = var.stack.name }

  source {
    type      = "CODEPIPELINE"
    buildspec = file("${path.root}/buildspecs/${each.key}.yml")
  }

  artifacts {
    type = "CODEPIPELINE"
  }

  environment {
    type         = "LINUX_CONTAINER"
    image        = "hashicorp/terraform:${var.stack.terraform_version}"
    compute_type = "BUILD_GENERAL1_SMALL"

    dynamic "environment_variable" {
      for_each = merge(local.variables, each.value.variables)

      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name  = var.shared.log_group
      stream_name = "${local.name}-${var.stack.name}-${each.key}"
    }
  }
}

resource "aws_codepipeline" "apply" {
  name           = "${local.name}-${var.stack.name}"
  role_arn       = aws_iam_role.pipeline.arn
  pipeline_type  = "V2"
  execution_mode = "QUEUED"
  tags           = { "gitops:stack" = var.stack.name }

  artifact_store {
    type     = "S3"
    location = local.artifact_bucket

    encryption_key {
      id   = local.key
      type = "KMS"
    }
  }

  variable {
    name          = "imports"
    default_value = "none"
    description   = "What to take into the state, see run.yml"
  }

  trigger {
    provider_type = "CodeStarSourceConnection"

    git_configuration {
      source_action_name = "Source"

      push {
        branches {
          includes = [var.stack.branch]
        }

        file_paths {
          includes = ["${var.stack.path}/**"]
        }
      }
    }
  }

  stage {
    name = "Source"

    action {
      name             = "Source"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      namespace        = "Source"
      output_artifacts = ["source"]

      configuration = {
        ConnectionArn        = local.connection
        FullRepositoryId     = var.stack.repository
        BranchName           = var.stack.branch
        DetectChanges        = "true"
        OutputArtifactFormat = "CODEBUILD_CLONE_REF"
      }
    }
  }

  stage {
    name = "Deploy"

    action {
      name             = "Plan"
      category         = "Build"
      owner            = "AWS"
      provider         = "CodeBuild"
      version          = "1"
      run_order        = 1
      namespace        = "Plan"
      input_artifacts  = ["source"]
      output_artifacts = ["plan"]

      configuration = {
        ProjectName   = aws_codebuild_project.this["plan"].name
        PrimarySource = "source"
        EnvironmentVariables = jsonencode([
          { name = "PLAN_MODE", value = "apply", type = "PLAINTEXT" },
          { name = "APPROVAL", value = "true", type = "PLAINTEXT" },
          local.execution,
        ])
      }
    }

    action {
      name               = "Approve"
      category           = "Approval"
      owner              = "AWS"
      provider           = "Manual"
      version            = "1"
      run_order          = 2
      timeout_in_minutes = 10080

      configuration = {
        CustomData         = "Apply stack ${var.stack.name}: ${local.plan_data}"
        ExternalEntityLink = "${local.console}/${local.name}-${var.stack.name}-plan/build/#{Plan.PLAN_BUILD}/?region=${local.region}"
      }
    }

    action {
      name            = "Apply"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      run_order       = 3
      namespace       = "Apply"
      input_artifacts = ["source", "plan"]

      configuration = {
        ProjectName          = aws_codebuild_project.this["apply"].name
        PrimarySource        = "source"
        EnvironmentVariables = jsonencode([local.execution])
      }
    }
  }
}

resource "aws_codepipeline" "destroy" {
  name           = "${local.name}-${var.stack.name}-destroy"
  role_arn       = aws_iam_role.pipeline.arn
  pipeline_type  = "V2"
  execution_mode = "QUEUED"
  tags           = { "gitops:stack" = var.stack.name }

  artifact_store {
    type     = "S3"
    location = local.artifact_bucket

    encryption_key {
      id   = local.key
      type = "KMS"
    }
  }

  variable {
    name        = "confirm"
    description = "The stack's name, to show that it is meant"
  }

  stage {
    name = "Source"

    action {
      name             = "Source"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      namespace        = "Source"
      output_artifacts = ["source"]

      configuration = {
        ConnectionArn        = local.connection
        FullRepositoryId     = var.stack.repository
        BranchName           = var.stack.branch
        DetectChanges        = "false"
        OutputArtifactFormat = "CODEBUILD_CLONE_REF"
      }
    }
  }

  stage {
    name = "Destroy"

    action {
      name             = "Plan"
      category         = "Build"
      owner            = "AWS"
      provider         = "CodeBuild"
      version          = "1"
      run_order        = 1
      namespace        = "Plan"
      input_artifacts  = ["source"]
      output_artifacts = ["plan"]

      configuration = {
        ProjectName   = aws_codebuild_project.this["plan"].name
        PrimarySource = "source"
        EnvironmentVariables = jsonencode([
          { name = "PLAN_MODE", value = "destroy", type = "PLAINTEXT" },
          { name = "APPROVAL", value = "true", type = "PLAINTEXT" },
          local.execution,
        ])
      }
    }

    action {
      name               = "Approve"
      category           = "Approval"
      owner              = "AWS"
      provider           = "Manual"
      version            = "1"
      run_order          = 2
      timeout_in_minutes = 10080

      configuration = {
        CustomData         = "DESTROY everything in stack ${var.stack.name}: ${local.plan_data}"
        ExternalEntityLink = "${local.console}/${local.name}-${var.stack.name}-plan/build/#{Plan.PLAN_BUILD}/?region=${local.region}"
      }
    }

    action {
      name            = "Destroy"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      run_order       = 3
      namespace       = "Destroy"
      input_artifacts = ["source", "plan"]

      configuration = {
        ProjectName          = aws_codebuild_project.this["destroy"].name
        PrimarySource        = "source"
        EnvironmentVariables = jsonencode([local.execution])
      }
    }
  }
}
