# The provider waits for a minute when it creates one: this one is imported.

resource "aws_lb" "one" {
  name            = "types"
  internal        = true
  subnets         = [aws_subnet.one.id]
  security_groups = [aws_security_group.one.id]
}
