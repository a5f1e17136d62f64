# What has changed outside of Terraform, without what is sensitive: from about.json, and from plan.json, which
# `terraform show -json` makes of a plan with -refresh-only. Nothing of this is applied: the build evaluates it with
# `terraform console`.
locals {
  plan  = jsondecode(file("${path.module}/plan.json"))
  about = jsondecode(file("${path.module}/about.json"))
  found = try(local.plan.resource_drift, [])

  # Providers make one of another, and nothing has changed; nor has what was only moved in the code.
  nothing = ["null", "\"\"", "[]", "{}"]
  changed = [
    for each in local.found : each.change.actions == ["delete"] ? [] : [
      for name in distinct(concat(try(keys(each.change.before), []), try(keys(each.change.after), []))) : name
      if jsonencode(try(each.change.before[name], null)) != jsonencode(try(each.change.after[name], null)) &&
      !alltrue([
        for time in ["before", "after"] :
        contains(local.nothing, jsonencode(try(each.change[time][name], null)))
      ])
    ]
  ]
  # Anything in an attribute that is marked, before or after, hides all of it; so does a mark on the whole resource.
  marks = [
    for each in local.found : {
      for name in distinct(concat(["id"], try(keys(each.change.before), []), try(keys(each.change.after), []))) :
      name => length(regexall("true", jsonencode([
        for marks in [try(each.change.before_sensitive, false), try(each.change.after_sensitive, false)] :
        try(marks[name], marks == true)
      ]))) > 0
    }
  ]
  drift = [
    for index, each in local.found : {
      address        = each.address
      type           = each.type
      name           = each.name
      module_address = try(each.module_address, "")
      provider_name  = try(each.provider_name, "")
      deposed        = try(each.deposed, "")
      actions        = each.change.actions
      id             = local.marks[index].id ? "" : try(tostring(each.change.before.id), "")
      attributes = [
        for name in local.changed[index] : merge({ name = name, sensitive = local.marks[index][name] }, {
          for time in ["before", "after"] : time => try(each.change[time][name], null) if !local.marks[index][name]
        })
      ]
    }
    if length(local.changed[index]) > 0 || each.change.actions == ["delete"]
  ]
  report = jsonencode(merge(local.about, {
    terraform_version = try(local.plan.terraform_version, "")
    drift             = local.drift
  }))
}

# In words, without values.
locals {
  gone   = [for each in local.drift : each.address if each.actions == ["delete"]]
  others = [for each in local.drift : each.address if each.actions != ["delete"]]
  count  = tostring(length(local.drift))
  summary = (
    local.count == "0" ? "no drift" : "${length(local.others)} changed, ${length(local.gone)} gone outside of Terraform"
  )
  kinds = [{ title = "Changed", addresses = local.others }, { title = "Gone", addresses = local.gone }]
  effects = join(" ", [
    for kind in local.kinds : format("%s: %s%s.", kind.title,
      join(", ", slice(kind.addresses, 0, min(10, length(kind.addresses)))),
      length(kind.addresses) > 10 ? ", and ${length(kind.addresses) - 10} more" : "",
    )
    if length(kind.addresses) > 0
  ])
}
