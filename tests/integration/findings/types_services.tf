
# One of each type of the catalogue outside EC2, to compare the ids.

resource "aws_s3_bucket" "one" {
  bucket = "tf-types-bucket"
}

resource "aws_dynamodb_table" "one" {
  name         = "tf-table"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_db_instance" "one" {
  identifier          = "tf-db"
  engine              = "postgres"
  instance_class      = "db.t3.micro"
  allocated_storage   = 20
  username            = "ada"
  password            = "correct-horse-9"
  skip_final_snapshot = true

  lifecycle {
    ignore_changes = all # it is imported, for Terraform waits minutes for a new one
  }
}

resource "aws_efs_file_system" "one" {
  creation_token = "tf-files"
}

resource "aws_ecr_repository" "one" {
  name = "tf/images"
}

resource "aws_sqs_queue" "one" {
  name = "tf-queue"

  lifecycle {
    ignore_changes = all # it is imported, too
  }
}

resource "aws_sns_topic" "one" {
  name = "tf-topic"
}

resource "aws_cloudwatch_event_rule" "one" {
  name                = "tf-rule"
  schedule_expression = "rate(1 day)"
}

resource "aws_cloudwatch_event_bus" "one" {
  name = "tf-bus"
}

resource "aws_cloudwatch_event_rule" "another" {
  name           = "tf-rule"
  event_bus_name = aws_cloudwatch_event_bus.one.name
  event_pattern  = jsonencode({ source = ["ada"] })
}

resource "aws_lambda_function" "one" {
  function_name = "tf-function"
  role          = aws_iam_role.one.arn
  handler       = "index.handler"
  runtime       = "python3.12"
  filename      = "code.zip"
}

resource "aws_cloudwatch_log_group" "one" {
  name = "/tf/logs"
}

resource "aws_iam_role" "one" {
  name = "tf-types-role"
  path = "/tf/"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_user" "one" {
  name = "tf-user"
}

resource "aws_iam_group" "one" {
  name = "tf-group"
}

resource "aws_iam_policy" "one" {
  name   = "tf-policy"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = "*", Resource = "*" }] })
}

resource "aws_iam_instance_profile" "one" {
  name = "tf-profile"
  role = aws_iam_role.one.name
}

resource "aws_kms_key" "one" {}

resource "aws_secretsmanager_secret" "one" {
  name = "tf-secret"
}

resource "aws_ssm_parameter" "one" {
  name  = "/tf/parameter"
  type  = "String"
  value = "x"
}

resource "aws_acm_certificate" "one" {
  domain_name       = "tf.example.com"
  validation_method = "DNS"
}
