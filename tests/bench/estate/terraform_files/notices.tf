# What tells people of runs: rules, a state machine, a topic with a recipient; a queue for what fails, with its alarm.

resource "aws_sns_topic" "notices" {
  name              = "${local.name}-notices"
  display_name      = local.name
  kms_master_key_id = "alias/aws/sns"

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid       = "StateMachinePublishes"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${local.account}:root" }
        Action    = "sns:Publish"
        Resource  = local.topic
        Condition = { ArnEquals = { "aws:PrincipalArn" = "arn:aws:iam::${local.account}:role/${local.name}-notices" } }
      },
      {
        Sid       = "NobodyElsePublishes"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = "arn:aws:iam::${local.account}:role/${local.name}-notices" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "recipient" {
  topic_arn = aws_sns_topic.notices.arn
  protocol  = "email"
  endpoint  = "platform@example.com"
}

resource "aws_sns_topic" "alarms" {
  name = "${local.name}-alarms"

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid       = "CloudWatchPublishes"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.alarms
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnEquals = {
            "aws:SourceArn" = "arn:aws:cloudwatch:${local.region}:${local.account}:alarm:${local.name}-undelivered"
          }
        }
      },
      {
        Sid       = "OnlyServicesPublish"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.alarms
        Condition = { Bool = { "aws:PrincipalIsAWSService" = "false" } }
      },
    ]
  })
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${local.name}-undelivered"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid       = "FromRules"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = [local.rules] }
        }
      },
      {
        Sid       = "FromTopic"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnEquals    = { "aws:SourceArn" = [local.topic] }
        }
      },
    ]
  })
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  alarm_name          = "${local.name}-undelivered"
  alarm_description   = "Notices of the estate ${local.name} were not delivered. Read the queue of this name: each message says what failed, and why. Then purge it"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = "${local.name}-undelivered" }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_iam_role" "notices" {
  name        = "${local.name}-notices"
  description = "Step Functions tells what happened in ${local.name}"

  assume_role_policy = jsonencode({
    Version = local.version
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "states.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals    = { "aws:SourceArn" = [local.machine] }
      }
    }]
  })
}

resource "aws_iam_role_policy" "notices" {
  name = "notices"
  role = aws_iam_role.notices.name

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid    = "Runs"
        Effect = "Allow"
        Action = [
          "codepipeline:GetPipelineExecution", "codepipeline:ListActionExecutions",
          "codepipeline:ListPipelineExecutions"
        ]
        Resource = ["${local.pipeline}:${local.name}-*"]
      },
      {
        Sid      = "Builds"
        Effect   = "Allow"
        Action   = ["codebuild:BatchGetBuilds"]
        Resource = ["${local.project}/${local.name}-*"]
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:GetLogEvents"]
        Resource = [local.builds, "${local.builds}:log-stream:*"]
      },
      {
        Sid      = "LockTable"
        Effect   = "Allow"
        Action   = ["dynamodb:Scan"]
        Resource = [local.table]
      },
      {
        Sid       = "KeyOfTable"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [local.key]
        Condition = { StringLike = { "kms:EncryptionContext:aws:dynamodb:tableName" = "${local.name}-lock" } }
      },
      {
        Sid      = "ListLocks"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.states]
      },
      {
        Sid      = "LockFiles"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.states}/*.tflock"]
      },
      {
        Sid       = "KeyOfFiles"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [local.key]
        Condition = { StringLike = { "kms:EncryptionContext:aws:s3:arn" = "${local.states}/*.tflock" } }
      },
      {
        Sid      = "Publish"
        Effect   = "Allow"
        Action   = ["sns:Publish"]
        Resource = [local.topic]
      },
      {
        Sid       = "PutNotices"
        Effect    = "Allow"
        Action    = ["events:PutEvents"]
        Resource  = ["arn:aws:events:${local.region}:${local.account}:event-bus/default"]
        Condition = { StringEqualsIfExists = { "events:source" = "gitops.aws", "events:detail-type" = "Notice" } }
      },
    ]
  })
}

resource "aws_iam_role" "events" {
  name        = "${local.name}-notices-events"
  description = "EventBridge passes the notices of ${local.name} on"

  assume_role_policy = jsonencode({
    Version = local.version
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = [local.rules] }
      }
    }]
  })
}

resource "aws_iam_role_policy" "events" {
  name = "notices"
  role = aws_iam_role.events.name

  policy = jsonencode({
    Version = local.version
    Statement = [
      {
        Sid      = "Compose"
        Effect   = "Allow"
        Action   = ["states:StartExecution"]
        Resource = [local.machine]
      },
      {
        Sid      = "Deliver"
        Effect   = "Allow"
        Action   = ["events:InvokeApiDestination"]
        Resource = ["arn:aws:events:${local.region}:${local.account}:api-destination/${local.name}-*"]
      },
    ]
  })
}

resource "aws_sfn_state_machine" "notices" {
  name       = "${local.name}-notices"
  role_arn   = aws_iam_role.notices.arn
  definition = file("${path.module}/notices.json")

  depends_on = [aws_iam_role_policy.notices]
}

locals {
  event = { account = [local.account], region = [local.region] }
  rule = {
    approvals = {
      description = "A run of a pipeline of ${local.name} waits for approval"
      schedule    = null
      pattern = jsonencode(merge(local.event, {
        source        = ["aws.codepipeline"]
        "detail-type" = ["CodePipeline Action Execution State Change"]
        detail = {
          pipeline = [{ prefix = "${local.name}-" }]
          state    = ["STARTED"]
          type     = { category = ["Approval"] }
        }
      }))
    }
    locks = {
      description = "Looks for locks of ${local.name} that are held too long"
      schedule    = "cron(0/15 * * * ? *)"
      pattern     = null
    }
    runs = {
      description = "A run of a pipeline of ${local.name} has ended"
      schedule    = null
      pattern = jsonencode(merge(local.event, {
        source        = ["aws.codepipeline"]
        "detail-type" = ["CodePipeline Pipeline Execution State Change"]
        detail        = { pipeline = [{ prefix = "${local.name}-" }], state = ["SUCCEEDED", "FAILED", "STOPPED"] }
      }))
    }
  }
}

resource "aws_cloudwatch_event_rule" "notices" {
  for_each            = local.rule
  name                = "${local.name}-notices-${each.key}"
  description         = each.value.description
  event_pattern       = each.value.pattern
  schedule_expression = each.value.schedule
}

resource "aws_cloudwatch_event_target" "notices" {
  for_each  = local.rule
  rule      = aws_cloudwatch_event_rule.notices[each.key].name
  target_id = "machine"
  arn       = aws_sfn_state_machine.notices.arn
  role_arn  = aws_iam_role.events.arn

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  retry_policy {
    maximum_retry_attempts       = 185
    maximum_event_age_in_seconds = 3600
  }
}

resource "aws_cloudwatch_event_rule" "undelivered" {
  name        = "${local.name}-notices-undelivered"
  description = "The state machine that tells of ${local.name} has failed"

  event_pattern = jsonencode(merge(local.event, {
    source        = ["aws.states"]
    "detail-type" = ["Step Functions Execution Status Change"]
    detail        = { stateMachineArn = [local.machine], status = ["FAILED", "TIMED_OUT", "ABORTED"] }
  }))
}

resource "aws_cloudwatch_event_target" "undelivered" {
  rule      = aws_cloudwatch_event_rule.undelivered.name
  target_id = "undelivered"
  arn       = aws_sqs_queue.undelivered.arn
}
