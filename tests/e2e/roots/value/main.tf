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

# Two checks, whose results Terraform writes in any order: the state is the same all the same.
check "content" {
  assert {
    condition     = var.content != ""
    error_message = "There is no content."
  }
}

check "length" {
  assert {
    condition     = length(var.content) < 1000
    error_message = "There is too much content."
  }
}
