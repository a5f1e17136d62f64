# Three roles of the stack, with their inline policies.

resource "aws_iam_role" "plan" {
  name        = "${local.name}-${var.stack.name}-plan"
  description = "CodeBuild plans the Terraform stack ${var.stack.name}"
  tags        = { "gitops:stack" = var.stack.name }

  assume_role_policy = jsonencode({
    Version = local.version
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "codebuild.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals    = { "aws:SourceArn" = ["${local.project}/${local.name}-${var.stack.name}-plan"] }
      }
    }]
  })
}

resource "aws_iam_role_policy" "plan_build" {
  name = "build"
  role = aws_iam_role.plan.name

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid      = "ArtifactBucket"
        Effect   = "Allow"
        Action   = local.read_bucket
        Resource = [local.artifacts]
      },
      {
        Sid    = "ReadArtifacts"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [
          for prefix in [local.own_artifacts, local.destroy_artifacts] : "${local.artifacts}/${prefix}/source/*"
        ]
      },
      {
        Sid    = "WriteArtifacts"
        Effect = "Allow"
        Action = ["s3:PutObject"]
        Resource = [
          for prefix in [local.own_artifacts, local.destroy_artifacts] : "${local.artifacts}/${prefix}/plan/*"
        ]
      },
      {
        Sid      = "Connection"
        Effect   = "Allow"
        Action   = local.use_connection
        Resource = [local.connection]
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [local.builds, "${local.builds}:log-stream:${local.name}-${var.stack.name}-plan/*"]
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = local.use_key
        Resource = [local.key]
      },
      {
        Sid    = "OwnExecution"
        Effect = "Allow"
        Action = ["codepipeline:GetPipelineExecution"]
        Resource = [
          "${local.pipeline}:${local.name}-${var.stack.name}", "${local.pipeline}:${local.name}-${var.stack.name}-destroy"
        ]
      },
      {
        Sid    = "EndWithoutChanges"
        Effect = "Allow"
        Action = ["codepipeline:StopPipelineExecution"]
        Resource = [
          "${local.pipeline}:${local.name}-${var.stack.name}", "${local.pipeline}:${local.name}-${var.stack.name}-destroy"
        ]
      },
    ]
  })
}

resource "aws_iam_role_policy" "plan_state" {
  name = "state"
  role = aws_iam_role.plan.name

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid      = "StateBucket"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.states]
      },
      {
        Sid      = "State"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.states}/${var.stack.name}/terraform.tfstate"]
      },
      {
        Sid      = "StateLockFile"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["${local.states}/${var.stack.name}/terraform.tfstate.tflock"]
      },
      {
        Sid      = "StateLock"
        Effect   = "Allow"
        Action   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
        Resource = [local.table]
        Condition = {
          "ForAllValues:StringEquals" = {
            "dynamodb:LeadingKeys" = ["${local.state_bucket}/${var.stack.name}/terraform.tfstate"]
          }
        }
      },
      {
        Sid      = "StateDigest"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem"]
        Resource = [local.table]
        Condition = {
          "ForAllValues:StringEquals" = {
            "dynamodb:LeadingKeys" = ["${local.state_bucket}/${var.stack.name}/terraform.tfstate-md5"]
          }
        }
      },
      {
        Sid      = "LockTable"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeTable"]
        Resource = [local.table]
      },
    ]
  })
}

resource "aws_iam_role_policy" "plan_stack" {
  name   = "stack"
  role   = aws_iam_role.plan.name
  policy = jsonencode({ Version = local.version, Statement = var.stack.plan_permissions })
}

resource "aws_iam_role" "apply" {
  name        = "${local.name}-${var.stack.name}-apply"
  description = "CodeBuild applies and destroys the Terraform stack ${var.stack.name}"
  tags        = { "gitops:stack" = var.stack.name }

  assume_role_policy = jsonencode({
    Version = local.version
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "codebuild.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals = {
          "aws:SourceArn" = [
            "${local.project}/${local.name}-${var.stack.name}-apply", "${local.project}/${local.name}-${var.stack.name}-destroy"
          ]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "apply_build" {
  name = "build"
  role = aws_iam_role.apply.name

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid      = "ArtifactBucket"
        Effect   = "Allow"
        Action   = local.read_bucket
        Resource = [local.artifacts]
      },
      {
        Sid    = "ReadArtifacts"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [
          "${local.artifacts}/${local.own_artifacts}/source/*",
          "${local.artifacts}/${local.destroy_artifacts}/source/*",
          "${local.artifacts}/${local.own_artifacts}/plan/*",
          "${local.artifacts}/${local.destroy_artifacts}/plan/*",
        ]
      },
      {
        Sid    = "KeepAside"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:PutObject"]
        Resource = [
          "${local.states}/${var.stack.name}/terraform.tfstate.errored",
          "${local.artifacts}/${local.own_artifacts}/errored/*",
          "${local.artifacts}/${local.own_artifacts}/used/*",
          "${local.artifacts}/${local.destroy_artifacts}/errored/*",
          "${local.artifacts}/${local.destroy_artifacts}/used/*",
        ]
      },
      {
        Sid      = "Connection"
        Effect   = "Allow"
        Action   = local.use_connection
        Resource = [local.connection]
      },
      {
        Sid    = "Logs"
        Effect = "Allow"
        Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [
          local.builds,
          "${local.builds}:log-stream:${local.name}-${var.stack.name}-apply/*",
          "${local.builds}:log-stream:${local.name}-${var.stack.name}-destroy/*",
        ]
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = local.use_key
        Resource = [local.key]
      },
      {
        Sid    = "OwnExecution"
        Effect = "Allow"
        Action = ["codepipeline:ListActionExecutions"]
        Resource = [
          "${local.pipeline}:${local.name}-${var.stack.name}", "${local.pipeline}:${local.name}-${var.stack.name}-destroy"
        ]
      },
    ]
  })
}

resource "aws_iam_role_policy" "apply_state" {
  name = "state"
  role = aws_iam_role.apply.name

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid      = "StateBucket"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.states]
      },
      {
        Sid      = "State"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${local.states}/${var.stack.name}/terraform.tfstate"]
      },
      {
        Sid      = "StateLockFile"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["${local.states}/${var.stack.name}/terraform.tfstate.tflock"]
      },
      {
        Sid      = "StateLock"
        Effect   = "Allow"
        Action   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
        Resource = [local.table]
        Condition = {
          "ForAllValues:StringEquals" = {
            "dynamodb:LeadingKeys" = [
              "${local.state_bucket}/${var.stack.name}/terraform.tfstate",
              "${local.state_bucket}/${var.stack.name}/terraform.tfstate-md5",
            ]
          }
        }
      },
      {
        Sid      = "LockTable"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeTable"]
        Resource = [local.table]
      },
    ]
  })
}

resource "aws_iam_role_policy" "apply_stack" {
  name = "stack"
  role = aws_iam_role.apply.name

  policy = jsonencode({
    Version   = local.version
    Statement = concat(var.stack.plan_permissions, var.stack.apply_permissions)
  })
}

resource "aws_iam_role" "pipeline" {
  name        = "${local.name}-${var.stack.name}-pipeline"
  description = "CodePipeline runs the pipelines of the Terraform stack ${var.stack.name}"
  tags        = { "gitops:stack" = var.stack.name }

  assume_role_policy = jsonencode({
    Version = local.version
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "codepipeline.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals = {
          "aws:SourceArn" = [
            "${local.pipeline}:${local.name}-${var.stack.name}", "${local.pipeline}:${local.name}-${var.stack.name}-destroy"
          ]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "pipeline" {
  name = "pipeline"
  role = aws_iam_role.pipeline.name

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid      = "Connection"
        Effect   = "Allow"
        Action   = local.use_connection
        Resource = [local.connection]
      },
      {
        Sid      = "ArtifactBucket"
        Effect   = "Allow"
        Action   = local.read_bucket
        Resource = [local.artifacts]
      },
      {
        Sid    = "ReadArtifacts"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [
          "${local.artifacts}/${local.own_artifacts}/*/*", "${local.artifacts}/${local.destroy_artifacts}/*/*"
        ]
      },
      {
        Sid    = "WriteArtifacts"
        Effect = "Allow"
        Action = ["s3:PutObject"]
        Resource = [
          "${local.artifacts}/${local.own_artifacts}/*/*", "${local.artifacts}/${local.destroy_artifacts}/*/*"
        ]
      },
      {
        Sid    = "UploadSource"
        Effect = "Allow"
        Action = [
          "s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectAcl", "s3:PutObjectTagging"
        ]
        Resource = [
          for prefix in [local.own_artifacts, local.destroy_artifacts] : "${local.artifacts}/${prefix}/source/*"
        ]
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = local.use_key
        Resource = [local.key]
      },
      {
        Sid      = "Builds"
        Effect   = "Allow"
        Action   = ["codebuild:BatchGetBuilds", "codebuild:StartBuild"]
        Resource = [for job in ["plan", "apply", "destroy"] : "${local.project}/${local.name}-${var.stack.name}-${job}"]
      },
    ]
  })
}
