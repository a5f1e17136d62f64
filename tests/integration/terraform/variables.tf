# What the cases refer to, the same in main.tf and items.yml.

variable "role" {
  type = string
}

variable "another_role" {
  type = string
}

variable "key" {
  type = string
}

variable "key_elsewhere" {
  type = string
}

variable "bucket" {
  type = string
}

variable "bucket_elsewhere" {
  type = string
}

variable "connection" {
  type = string
}
