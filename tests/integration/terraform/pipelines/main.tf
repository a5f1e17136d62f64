resource "aws_codepipeline" "first" {
  name     = "tf-first"
  role_arn = var.role

  artifact_store {
    type     = "S3"
    location = var.bucket
  }

  stage {
    name = "Source"

    action {
      name             = "Source"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      output_artifacts = ["source"]

      configuration = {
        ConnectionArn    = var.connection
        FullRepositoryId = "acme/infrastructure"
        BranchName       = "main"
      }
    }
  }

  stage {
    name = "Plan"

    action {
      name            = "Plan"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      input_artifacts = ["source"]

      configuration = {
        ProjectName = "tf-plan"
      }
    }
  }
}

# Everything that a pipeline of type V1 has.
resource "aws_codepipeline" "v1" {
  name          = "tf-v1"
  role_arn      = var.role
  pipeline_type = "V1"

  artifact_store {
    type     = "S3"
    location = var.bucket

    encryption_key {
      type = "KMS"
      id   = var.key
    }
  }

  stage {
    name = "Source"

    action {
      name             = "Code"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      namespace        = "Code"
      output_artifacts = ["code"]

      configuration = {
        ConnectionArn        = var.connection
        FullRepositoryId     = "acme/infrastructure"
        BranchName           = "main"
        OutputArtifactFormat = "CODE_ZIP"
        DetectChanges        = false
      }
    }

    action {
      name             = "Data"
      category         = "Source"
      owner            = "AWS"
      provider         = "S3"
      version          = "1"
      output_artifacts = ["data"]

      configuration = {
        S3Bucket             = var.bucket
        S3ObjectKey          = "data.zip"
        PollForSourceChanges = "false"
      }
    }
  }

  stage {
    name = "Plan"

    action {
      name             = "Plan"
      category         = "Build"
      owner            = "AWS"
      provider         = "CodeBuild"
      version          = "1"
      run_order        = 1
      namespace        = "Plan"
      role_arn         = var.another_role
      region           = "eu-central-1"
      input_artifacts  = ["code", "data"]
      output_artifacts = ["plan"]

      configuration = {
        ProjectName   = "tf-plan"
        PrimarySource = "code"
        EnvironmentVariables = jsonencode([
          { name = "COMMIT", value = "#{Code.CommitId}", type = "PLAINTEXT" }
        ])
      }
    }

    action {
      name     = "Approve"
      category = "Approval"
      owner    = "AWS"
      provider = "Manual"
      version  = "1"

      run_order          = 2
      timeout_in_minutes = 60

      configuration = {
        CustomData = "#{Plan.SUMMARY}"
      }
    }
  }

  tags = {
    team = "platform"
    note = ""
  }
}

resource "aws_codepipeline" "queued" {
  name           = "tf-queued"
  role_arn       = var.role
  pipeline_type  = "V2"
  execution_mode = "QUEUED"

  artifact_store {
    type     = "S3"
    location = var.bucket
  }

  variable {
    name = "mode"
  }

  variable {
    name          = "level"
    default_value = "1"
    description   = "How much."
  }

  trigger {
    provider_type = "CodeStarSourceConnection"

    git_configuration {
      source_action_name = "Branches"

      push {
        branches {
          includes = ["main", "release/*"]
          excludes = ["release/old"]
        }

        file_paths {
          includes = ["network/**", "modules/**"]
          excludes = ["**/*.md"]
        }
      }

      pull_request {
        events = ["OPEN", "UPDATED"]

        branches {
          includes = ["main"]
          excludes = ["dependabot/**"]
        }

        file_paths {
          includes = ["network/**"]
          excludes = ["network/README.md"]
        }
      }

      pull_request {
        events = ["CLOSED"]

        branches {
          includes = ["main"]
        }
      }
    }
  }

  trigger {
    provider_type = "CodeStarSourceConnection"

    git_configuration {
      source_action_name = "Tags"

      push {
        tags {
          includes = ["v*"]
          excludes = ["v0.*"]
        }
      }
    }
  }

  stage {
    name = "Source"

    action {
      name             = "Branches"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      namespace        = "Branches"
      output_artifacts = ["branches"]

      configuration = {
        ConnectionArn    = var.connection
        FullRepositoryId = "acme/infrastructure"
        BranchName       = "main"
      }
    }

    action {
      name             = "Tags"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      output_artifacts = ["tags"]

      configuration = {
        ConnectionArn    = var.connection
        FullRepositoryId = "acme/modules"
        BranchName       = "main"
      }
    }
  }

  stage {
    name = "Approve"

    action {
      name     = "Approve"
      category = "Approval"
      owner    = "AWS"
      provider = "Manual"
      version  = "1"

      configuration = {
        CustomData         = "#{variables.mode} of #{Branches.CommitId}"
        ExternalEntityLink = "https://example.com"
      }
    }
  }
}

resource "aws_codepipeline" "conditions" {
  name          = "tf-conditions"
  role_arn      = var.role
  pipeline_type = "V2"

  artifact_store {
    type     = "S3"
    location = var.bucket
  }

  variable {
    name = "mode"
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
        ConnectionArn    = var.connection
        FullRepositoryId = "acme/infrastructure"
        BranchName       = "main"
      }
    }

    on_failure {
      result = "RETRY"

      retry_configuration {
        retry_mode = "FAILED_ACTIONS"
      }
    }
  }

  stage {
    name = "Plan"

    action {
      name            = "Plan"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      input_artifacts = ["source"]

      configuration = {
        ProjectName = "tf-plan"
      }
    }

    before_entry {
      condition {
        result = "SKIP"

        rule {
          name = "OnlyPlans"

          rule_type_id {
            category = "Rule"
            owner    = "AWS"
            provider = "VariableCheck"
            version  = "1"
          }

          configuration = {
            Variable = "#{variables.mode}"
            Value    = "plan"
            Operator = "EQ"
          }
        }
      }
    }

    on_success {
      condition {
        result = "FAIL"

        rule {
          # No timeout: the provider does not send it.
          name            = "Checks"
          commands        = ["echo one", "test -f main.tf"]
          input_artifacts = ["source"]
          role_arn        = var.another_role
          region          = "eu-central-1"

          rule_type_id {
            category = "Rule"
            owner    = "AWS"
            provider = "Commands"
            version  = "1"
          }
        }

        rule {
          name = "Planned"

          rule_type_id {
            category = "Rule"
            owner    = "AWS"
            provider = "VariableCheck"
            version  = "1"
          }

          configuration = {
            Variable = "#{variables.mode}"
            Value    = "plan"
            Operator = "NE"
          }
        }
      }
    }

    on_failure {
      result = "ROLLBACK"
    }
  }

  stage {
    name = "Approve"

    action {
      name     = "Approve"
      category = "Approval"
      owner    = "AWS"
      provider = "Manual"
      version  = "1"
    }

    before_entry {
      condition {
        result = "FAIL"

        rule {
          name = "Window"

          rule_type_id {
            category = "Rule"
            owner    = "AWS"
            provider = "DeploymentWindow"
            version  = "1"
          }

          configuration = {
            Cron     = "* * 9-17 ? * MON-FRI *"
            TimeZone = "Europe/Berlin"
          }
        }

        rule {
          name = "Quiet"

          rule_type_id {
            category = "Rule"
            owner    = "AWS"
            provider = "CloudWatchAlarm"
            version  = "1"
          }

          configuration = {
            AlarmName   = "noise"
            AlarmStates = "ALARM"
            WaitTime    = "1"
          }
        }

        rule {
          name            = "Ready"
          commands        = ["test -f main.tf"]
          input_artifacts = ["source"]
          role_arn        = var.another_role
          region          = "eu-central-1"

          rule_type_id {
            category = "Rule"
            owner    = "AWS"
            provider = "Commands"
            version  = "1"
          }
        }
      }
    }

    on_failure {
      condition {
        result = "ROLLBACK"

        rule {
          name = "Alarm"

          rule_type_id {
            category = "Rule"
            owner    = "AWS"
            provider = "CloudWatchAlarm"
            version  = "1"
          }

          configuration = {
            AlarmName = "errors"
          }
        }

        rule {
          name            = "Lost"
          commands        = ["test -f main.tf"]
          input_artifacts = ["source"]
          role_arn        = var.another_role
          region          = "eu-central-1"

          rule_type_id {
            category = "Rule"
            owner    = "AWS"
            provider = "Commands"
            version  = "1"
          }
        }
      }
    }
  }
}

# Actions in another region, each region with its artifact store.
resource "aws_codepipeline" "regions" {
  name           = "tf-regions"
  role_arn       = var.role
  pipeline_type  = "V2"
  execution_mode = "PARALLEL"

  artifact_store {
    region   = "eu-central-1"
    type     = "S3"
    location = var.bucket

    encryption_key {
      type = "KMS"
      id   = var.key
    }
  }

  artifact_store {
    region   = "us-west-2"
    type     = "S3"
    location = var.bucket_elsewhere

    encryption_key {
      type = "KMS"
      id   = var.key_elsewhere
    }
  }

  variable {
    name = "mode"
  }

  stage {
    name = "Source"

    action {
      name             = "Source"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      output_artifacts = ["source"]

      configuration = {
        ConnectionArn    = var.connection
        FullRepositoryId = "acme/infrastructure"
        BranchName       = "main"
      }
    }
  }

  stage {
    name = "Build"

    action {
      name            = "Here"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      input_artifacts = ["source"]

      configuration = {
        ProjectName = "tf-plan"
      }
    }

    action {
      name            = "Elsewhere"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      region          = "us-west-2"
      input_artifacts = ["source"]

      configuration = {
        ProjectName = "tf-plan"
      }
    }
  }
}
