# One resource of each type that we know of EC2, VPC, load balancing and Auto Scaling; the load balancer is in
# balancer.tf.

locals {
  image = "ami-0abcdef1234567890"
}

resource "aws_vpc_dhcp_options" "one" {
  domain_name = "example.com"
}

resource "aws_vpc" "one" {
  cidr_block = "10.9.0.0/16"
}

resource "aws_vpc_dhcp_options_association" "one" {
  vpc_id          = aws_vpc.one.id
  dhcp_options_id = aws_vpc_dhcp_options.one.id
}

resource "aws_vpc" "peer" {
  cidr_block = "10.10.0.0/16"
}

resource "aws_subnet" "one" {
  vpc_id     = aws_vpc.one.id
  cidr_block = "10.9.1.0/24"
}

resource "aws_internet_gateway" "one" {
  vpc_id = aws_vpc.one.id
}

resource "aws_eip" "one" {
  domain = "vpc"
}

resource "aws_nat_gateway" "one" {
  subnet_id     = aws_subnet.one.id
  allocation_id = aws_eip.one.id
  depends_on    = [aws_internet_gateway.one]
}

resource "aws_route_table" "one" {
  vpc_id = aws_vpc.one.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.one.id
  }
}

resource "aws_route_table_association" "one" {
  subnet_id      = aws_subnet.one.id
  route_table_id = aws_route_table.one.id
}

resource "aws_network_acl" "one" {
  vpc_id = aws_vpc.one.id
}

resource "aws_security_group" "one" {
  name   = "types"
  vpc_id = aws_vpc.one.id

  ingress {
    protocol  = "tcp"
    from_port = 22
    to_port   = 22
    self      = true
  }
}

resource "aws_network_interface" "one" {
  subnet_id       = aws_subnet.one.id
  security_groups = [aws_security_group.one.id]
}

resource "aws_vpc_endpoint" "one" {
  vpc_id             = aws_vpc.one.id
  service_name       = "com.amazonaws.eu-central-1.ssm"
  vpc_endpoint_type  = "Interface"
  subnet_ids         = [aws_subnet.one.id]
  security_group_ids = [aws_security_group.one.id]
}

resource "aws_vpc_peering_connection" "one" {
  vpc_id      = aws_vpc.one.id
  peer_vpc_id = aws_vpc.peer.id
  auto_accept = true
}

resource "aws_flow_log" "one" {
  vpc_id               = aws_vpc.one.id
  traffic_type         = "ALL"
  log_destination_type = "s3"
  log_destination      = "arn:aws:s3:::flow-logs"
}

resource "aws_key_pair" "one" {
  key_name   = "types"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBuCzm0LzS3sKhHkvXUJ0TbOLLHF5fNNPwyWFUGkyJpn types"
}

resource "aws_instance" "one" {
  ami                    = local.image
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.one.id
  vpc_security_group_ids = [aws_security_group.one.id]
  key_name               = aws_key_pair.one.key_name
}

resource "aws_ebs_volume" "one" {
  availability_zone = "eu-central-1a"
  size              = 1
}

resource "aws_ebs_snapshot" "one" {
  volume_id = aws_ebs_volume.one.id
}

resource "aws_ami" "one" {
  name                = "types"
  root_device_name    = "/dev/xvda"
  virtualization_type = "hvm"

  ebs_block_device {
    device_name = "/dev/xvda"
    snapshot_id = aws_ebs_snapshot.one.id
  }
}

resource "aws_launch_template" "one" {
  name                   = "types"
  image_id               = local.image
  vpc_security_group_ids = [aws_security_group.one.id]
}

resource "aws_autoscaling_group" "one" {
  name                = "types"
  min_size            = 1
  max_size            = 2
  vpc_zone_identifier = [aws_subnet.one.id]

  launch_template {
    id      = aws_launch_template.one.id
    version = "$Latest"
  }
}

resource "aws_lb_target_group" "one" {
  name     = "types"
  port     = 80
  protocol = "HTTP"
  vpc_id   = aws_vpc.one.id
}
