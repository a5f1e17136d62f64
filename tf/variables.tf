variable "name" {
  description = "Name of the network; the tag Name of everything in it begins with it."
  type        = string
  default     = "network"
}

variable "cidr_block" {
  description = "IPv4 range of the VPC. Each subnet takes a part of it that is 256 times smaller."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr_block, 0))
    error_message = "cidr_block must be an IPv4 range such as 10.20.0.0/16."
  }
}

variable "subnet_count" {
  description = "Number of private subnets, spread over the availability zones."
  type        = number
  default     = 1

  validation {
    condition     = var.subnet_count >= 1 && var.subnet_count <= 16
    error_message = "subnet_count must be between 1 and 16."
  }
}
