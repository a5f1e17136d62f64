# What a plan would do, in few words and without values: from plan.json, which `terraform show -json` makes of it.
# Nothing of this is applied: the build evaluates local.summary and local.effects with `terraform console`.

# The counts.
locals {
  plan    = jsondecode(file("${path.module}/plan.json"))
  changes = [for each in try(local.plan.resource_changes, []) : each if each.mode == "managed"]
  outputs = [for each in values(try(local.plan.output_changes, {})) : each if each.actions != ["no-op"]]

  created   = [for each in local.changes : each.address if contains(each.change.actions, "create")]
  updated   = [for each in local.changes : each.address if contains(each.change.actions, "update")]
  deleted   = [for each in local.changes : each.address if contains(each.change.actions, "delete")]
  forgotten = [for each in local.changes : each.address if contains(each.change.actions, "forget")]
  imported  = [for each in local.changes : each.address if can(each.change.importing.id)]
  moved     = [for each in local.changes : each.address if try(each.previous_address, null) != null]
  replaced  = setintersection(local.created, local.deleted)
  destroyed = setsubtract(local.deleted, local.created)

  counts = {
    "to import"  = length(local.imported)
    "to add"     = length(local.created)
    "to change"  = length(local.updated)
    "to destroy" = length(local.deleted)
    "to replace" = length(local.replaced)
    "to forget"  = length(local.forgotten)
    "to move"    = length(local.moved)
  }
  # Terraform's three are always there; a replacement counts among what is added and what is destroyed, as there.
  counted = join(", ", [
    for name in ["to import", "to add", "to change", "to destroy", "to replace", "to forget", "to move"] :
    "${local.counts[name]} ${name == "to replace" ? "of both to replace" : name}"
    if local.counts[name] > 0 || contains(["to add", "to change", "to destroy"], name)
  ])
  summary = (
    sum(values(local.counts)) > 0 ? local.counted : length(local.outputs) > 0 ? "changes to outputs only" : "no changes"
  )
}

# Who may do what. Access may become wider where a statement, a grant or a principal is added or changed, where a Deny
# or a boundary is taken away, and where the plan cannot know. Better named once too often: what only narrows a
# statement is named, too.
locals {
  resource_policies = [
    "aws_ecr_repository_policy", "aws_kms_grant", "aws_kms_key", "aws_kms_key_policy", "aws_lambda_permission",
    "aws_s3_bucket_policy", "aws_s3_bucket_public_access_block", "aws_secretsmanager_secret_policy",
    "aws_sns_topic_policy", "aws_sqs_queue_policy",
  ]
  policies = ["assume_role_policy", "policy"]
  grants = [
    "managed_policy_arns", "policy_arn", "permissions_boundary", "inline_policy", "users", "user", "groups", "group",
    "roles", "role", "principal", "block_public_acls", "block_public_policy", "ignore_public_acls",
    "restrict_public_buckets",
  ]

  access = {
    for each in local.changes : each.address => each.change
    if(startswith(each.type, "aws_iam_") || contains(local.resource_policies, each.type))
    && !contains([["no-op"], ["read"]], each.change.actions)
  }
  statements = {
    for address, change in local.access : address => {
      for time in ["before", "after"] : time => flatten([
        for policy in local.policies : [
          for statement in flatten([try(jsondecode(change[time][policy]).Statement, [])]) : {
            effect = statement.Effect
            text   = jsonencode({ for key, value in statement : key => value if key != "Sid" })
          }
        ]
      ])
    }
  }
  texts = {
    for address, times in local.statements : address => {
      for time, statements in times : time => {
        for effect in ["Allow", "Deny"] : effect => [for each in statements : each.text if each.effect == effect]
      }
    }
  }
  widened = sort([
    for address, change in local.access : address if anytrue([
      change.actions == ["create"],
      length(setsubtract(local.texts[address].after.Allow, local.texts[address].before.Allow)) > 0,
      length(setsubtract(local.texts[address].before.Deny, local.texts[address].after.Deny)) > 0,
      anytrue([for policy in local.policies : try(change.after_unknown[policy], false) == true]),
      change.after == null && try(change.before.restrict_public_buckets, null) != null,
      change.after != null && anytrue([
        for grant in local.grants :
        jsonencode(try(change.before[grant], null)) != jsonencode(try(change.after[grant], null))
      ]),
    ])
  ])
}

# Which doors are open. A rule of a security group that was not there before opens one.
locals {
  unimportant = ["description", "tags", "tags_all", "id", "arn", "security_group_rule_id"]
  firewalls = {
    for each in local.changes : each.address => each
    if can(regex("^aws_(default_|vpc_)?security_group(_.*)?$", each.type)) && each.change.after != null
  }
  rules = {
    for address, each in local.firewalls : address => {
      for time in ["before", "after"] : time => endswith(each.type, "security_group") ? join("\n", flatten([
        for way in ["ingress", "egress"] : [
          for rule in try(tolist(each.change[time][way]), each.change[time][way], []) :
          "${way} ${jsonencode({ for key, value in rule : key => value if !contains(local.unimportant, key) })}"
        ]
        ])) : jsonencode(try({
        for key, value in each.change[time] : key => value if !contains(local.unimportant, key)
      }, null))
    }
  }
  opened = sort([
    for address, each in local.firewalls : address if anytrue([
      length(setsubtract(split("\n", local.rules[address].after), split("\n", "${local.rules[address].before}\n"))) > 0,
      each.change.actions != ["create"] && try(each.change.after_unknown.ingress, false) == true,
      each.change.actions != ["create"] && try(each.change.after_unknown.egress, false) == true,
    ])
  ])
}

# In words. The approval's message holds 1,000 characters in all, so that each kind of effect has its share.
locals {
  room = floor(640 / max(1, length([for kind in local.kinds : 1 if length(kind.addresses) > 0])))
  kinds = [
    { title = "Destroys", addresses = sort(local.destroyed) },
    { title = "Replaces", addresses = sort(local.replaced) },
    { title = "May widen access", addresses = local.widened },
    { title = "May open security groups", addresses = local.opened },
  ]
  shown = [
    for kind in local.kinds : [
      for index, address in slice(kind.addresses, 0, min(30, length(kind.addresses))) : address
      if sum([for each in slice(kind.addresses, 0, index + 1) : length(each) + 2]) <= local.room
    ]
  ]
  sentences = [
    for index, kind in local.kinds : format("%s: %s.", kind.title, join(", ", concat(
      local.shown[index],
      length(kind.addresses) == length(local.shown[index]) ? [] : [
        "and ${length(kind.addresses) - length(local.shown[index])} that only the log names"
      ],
    )))
    if length(kind.addresses) > 0
  ]
  effects = join(" ", concat(length(local.deleted) == 0 ? ["Destroys nothing."] : [], local.sentences))
}
