# Every block that the provider has.
resource "aws_codebuild_project" "everything" {
  name                 = "tf-everything"
  description          = "Everything at once."
  service_role         = var.role
  source_version       = "main"
  badge_enabled        = true
  project_visibility   = "PUBLIC_READ"
  resource_access_role = var.another_role

  source {
    type                = "GITHUB"
    location            = "https://github.com/acme/modules.git"
    buildspec           = "ci/build.yml"
    git_clone_depth     = 1
    insecure_ssl        = true
    report_build_status = true

    auth {
      type     = "CODECONNECTIONS"
      resource = var.connection
    }

    git_submodules_config {
      fetch_submodules = true
    }

    build_status_config {
      context    = "ci/build"
      target_url = "https://ci.example.com"
    }
  }

  secondary_sources {
    source_identifier = "wiki"
    type              = "GITHUB"
    location          = "https://github.com/acme/wiki.git"

    auth {
      type     = "CODECONNECTIONS"
      resource = var.connection
    }

    git_submodules_config {
      fetch_submodules = true
    }
  }

  secondary_sources {
    source_identifier   = "tools"
    type                = "BITBUCKET"
    location            = "https://bitbucket.org/acme/tools.git"
    git_clone_depth     = 5
    insecure_ssl        = true
    report_build_status = true

    git_submodules_config {
      fetch_submodules = false
    }

    build_status_config {
      context    = "tools"
      target_url = "https://ci.example.com/tools"
    }
  }

  secondary_sources {
    source_identifier = "data"
    type              = "S3"
    location          = "${var.bucket}/data.zip"
  }

  secondary_source_version {
    source_identifier = "wiki"
    source_version    = "main"
  }

  secondary_source_version {
    source_identifier = "tools"
    source_version    = "v1"
  }

  artifacts {
    artifact_identifier    = "modules"
    type                   = "S3"
    location               = var.bucket
    path                   = "out"
    name                   = "modules.zip"
    namespace_type         = "BUILD_ID"
    packaging              = "ZIP"
    override_artifact_name = true
    encryption_disabled    = true
    bucket_owner_access    = "READ_ONLY"
  }

  secondary_artifacts {
    artifact_identifier = "reports"
    type                = "S3"
    location            = var.bucket
    path                = "reports"
    name                = "reports"
  }

  secondary_artifacts {
    artifact_identifier    = "docs"
    type                   = "S3"
    location               = var.bucket
    name                   = "docs"
    packaging              = "ZIP"
    override_artifact_name = true
    encryption_disabled    = true
    bucket_owner_access    = "FULL"
  }

  environment {
    type                        = "LINUX_CONTAINER"
    compute_type                = "BUILD_GENERAL1_SMALL"
    image                       = "registry.example.com/builder:1"
    image_pull_credentials_type = "SERVICE_ROLE"
    privileged_mode             = true
    certificate                 = "${var.bucket}/ca.pem"

    registry_credential {
      credential          = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-Abcdef"
      credential_provider = "SECRETS_MANAGER"
    }
  }

  cache {
    type     = "S3"
    location = "${var.bucket}/cache"
  }

  vpc_config {
    vpc_id             = "vpc-0123456789abcdef0"
    subnets            = ["subnet-0123456789abcdef1", "subnet-0123456789abcdef0"]
    security_group_ids = ["sg-0123456789abcdef1", "sg-0123456789abcdef0"]
  }

  file_system_locations {
    type          = "EFS"
    identifier    = "cache"
    location      = "fs-1.efs.eu-central-1.amazonaws.com:/cache"
    mount_point   = "/mnt/cache"
    mount_options = "nfsvers=4.1,rsize=1048576"
  }

  file_system_locations {
    identifier  = "assets"
    location    = "fs-2.efs.eu-central-1.amazonaws.com:/"
    mount_point = "/mnt/assets"
  }

  build_batch_config {
    service_role      = var.another_role
    combine_artifacts = true
    timeout_in_mins   = 120

    restrictions {
      maximum_builds_allowed = 10
      compute_types_allowed  = ["BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_MEDIUM"]
    }
  }

  tags = {
    team = "platform"
  }
}

resource "aws_codebuild_webhook" "everything" {
  project_name = aws_codebuild_project.everything.name
  build_type   = "BUILD_BATCH"

  filter_group {
    filter {
      type    = "EVENT"
      pattern = "PULL_REQUEST_CREATED,PULL_REQUEST_UPDATED"
    }

    filter {
      type    = "BASE_REF"
      pattern = "^refs/heads/main$"
    }

    filter {
      type                    = "ACTOR_ACCOUNT_ID"
      pattern                 = "^4242$"
      exclude_matched_pattern = true
    }
  }

  filter_group {
    filter {
      type    = "EVENT"
      pattern = "PUSH"
    }

    filter {
      type    = "FILE_PATH"
      pattern = "^modules/"
    }
  }
}

resource "aws_codebuild_resource_policy" "everything" {
  resource_arn = aws_codebuild_project.everything.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Shared"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::111122223333:root" }
      Action    = ["codebuild:BatchGetProjects", "codebuild:ListBuildsForProject"]
      Resource  = aws_codebuild_project.everything.arn
    }]
  })
}

# A repository as it comes, with the older way to filter branches.
resource "aws_codebuild_project" "repository" {
  name         = "tf-repository"
  service_role = var.role

  source {
    type     = "GITHUB_ENTERPRISE"
    location = "https://git.example.com/acme/site.git"
  }

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type         = "LINUX_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/standard:7.0"
  }
}

resource "aws_codebuild_webhook" "repository" {
  project_name  = aws_codebuild_project.repository.name
  branch_filter = "^main$"
}

# An organization's runner.
resource "aws_codebuild_project" "runner" {
  name         = "tf-runner"
  service_role = var.role

  source {
    type     = "GITHUB_ENTERPRISE"
    location = "CODEBUILD_DEFAULT_WEBHOOK_SOURCE_LOCATION"
  }

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type         = "LINUX_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/standard:7.0"
  }
}

resource "aws_codebuild_webhook" "runner" {
  project_name = aws_codebuild_project.runner.name
  build_type   = "BUILD"

  filter_group {
    filter {
      type    = "EVENT"
      pattern = "WORKFLOW_JOB_QUEUED"
    }
  }

  scope_configuration {
    name   = "acme"
    domain = "git.example.com"
    scope  = "GITHUB_ORGANIZATION"
  }
}

# No source at all.
resource "aws_codebuild_project" "inline" {
  name          = "tf-inline"
  description   = "By hand."
  service_role  = var.role
  build_timeout = 5

  source {
    type      = "NO_SOURCE"
    buildspec = "version: 0.2\nphases: {build: {commands: [date]}}\n"
  }

  artifacts {
    type     = "S3"
    location = var.bucket
  }

  environment {
    type         = "ARM_CONTAINER"
    compute_type = "BUILD_GENERAL1_LARGE"
    image        = "aws/codebuild/amazonlinux2-aarch64-standard:3.0"
  }
}

# Each further kind of source.
resource "aws_codebuild_project" "gitlab" {
  name         = "tf-gitlab"
  service_role = var.role

  source {
    type     = "GITLAB"
    location = "https://gitlab.com/acme/site.git"

    auth {
      type     = "CODECONNECTIONS"
      resource = var.connection
    }
  }

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type         = "WINDOWS_SERVER_2019_CONTAINER"
    compute_type = "BUILD_GENERAL1_MEDIUM"
    image        = "aws/codebuild/windows-base:2019-3.0"
  }
}

resource "aws_codebuild_project" "codecommit" {
  name         = "tf-codecommit"
  service_role = var.role

  source {
    type            = "CODECOMMIT"
    location        = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/site"
    git_clone_depth = 1

    git_submodules_config {
      fetch_submodules = true
    }
  }

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type         = "LINUX_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/standard:7.0"
  }
}

resource "aws_codebuild_project" "bucket" {
  name         = "tf-bucket"
  service_role = var.role

  source {
    type     = "S3"
    location = "${var.bucket}/source.zip"
  }

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type         = "LINUX_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/standard:7.0"
  }
}
