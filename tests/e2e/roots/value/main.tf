# A root module without a provider: as quick as Terraform gets. For tests of the pipeline, not of what it builds.
terraform {
  backend "s3" {}
}

variable "content" {
  type    = string
  default = "first"
}

resource "terraform_data" "this" {
  input = var.content
}
