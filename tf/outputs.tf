output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "Ids of the private subnets, in the order of their address ranges."
  value       = aws_subnet.private[*].id
}
