resource "aws_codestarconnections_connection" "tagged" {
  name          = "tf-to-github"
  provider_type = "GitHub"

  tags = {
    team = "platform"
    note = ""
  }
}

resource "aws_codestarconnections_connection" "plain" {
  name          = "tf-to-gitlab"
  provider_type = "GitLab"
}

# The same service by its new name.
resource "aws_codeconnections_connection" "new" {
  name          = "tf-to-bitbucket"
  provider_type = "Bitbucket"

  tags = {
    team = "platform"
  }
}
