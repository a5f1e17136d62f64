# Functions: what only apply and destroy do.
# shellcheck shell=dash

# A value of the manifest.
planned() { sed -n "s/^$1=//p" "$SAVED/manifest"; }

nothing_applied() {
  refuse "Nothing is applied: $1. Fix: start the pipeline again, which makes a new plan, and approve that."
}

# Whether plan and manifest are those that were approved.
same_manifest() {
  of_execution ListActionExecutions \
    "$(printf '{"pipelineName":"%s","filter":{"pipelineExecutionId":"%s"}}' "$(pipeline)" "$EXECUTION_ID")" || return 1
  # Newest first: of a stage that was run again, the last plan is the one that was approved.
  MANIFEST_SHA256=$(evaluate "$WORK/execution" 'try([
    for each in jsondecode(file("answer.json")).actionExecutionDetails : each.output.outputVariables.MANIFEST_SHA256
    if each.actionName == "Plan" && each.status == "Succeeded"
  ][0], "")') || return 1
  [ "${#MANIFEST_SHA256}" -eq 64 ] && [ -z "$(printf %s "$MANIFEST_SHA256" | tr -d 0-9a-f)" ] ||
    nothing_applied "this execution of the pipeline has no plan with a manifest" || return 1
  [ "$(sha256 < "$SAVED/manifest")" = "$MANIFEST_SHA256" ] ||
    nothing_applied "the manifest is not the one that was approved (SHA-256 $MANIFEST_SHA256)" || return 1
  [ "$(sha256 < "$SAVED/tfplan")" = "$(planned plan_sha256)" ] ||
    nothing_applied "the saved plan is not the one that was approved (SHA-256 $(planned plan_sha256))"
}

# The e-mail addresses of the commits that this one has brought in, each with the newest that has it.
authors() {
  range=HEAD^1..HEAD # of a merge, what it has merged, too
  source_git rev-parse --quiet --verify HEAD^1 > /dev/null || range=HEAD
  # Lines of a message are indented, so that none passes for an author.
  source_git log --format='%H %ae%n%H %ce%n%w(0,1,1)%B' "$range" -- > "$WORK/commits" && awk '
    { email = "" }
    /^[^ \t]/ { commit = $1; email = substr($0, length($1) + 2) }
    tolower($0) ~ /^[ \t]+co-authored-by[ \t]*:/ {
      email = match($0, /<[^<>]*>/) ? substr($0, RSTART + 1, RLENGTH - 2) : $NF
    }
    email != "" && !seen[email]++ { print commit, tolower(email) }
  ' "$WORK/commits"
}

# Whether who approved is no author of what is applied. IAM cannot ask that: it knows no commits.
approved_by_another() {
  [ -n "$STACK_AUTHORS" ] || return 0
  [ -z "$STACK_OBJECT" ] || nothing_applied "nobody can tell who is the author of $STACK_OBJECT" || return 1
  # In the answer that same_manifest was given; the newest first there, too.
  approver=$(evaluate "$WORK/execution" 'try([
    for each in jsondecode(file("answer.json")).actionExecutionDetails : each.updatedBy
    if each.actionName == "Approve" && each.status == "Succeeded"
  ][0], "")') || return 1
  case $approver in
    arn:*:iam::*:root | arn:*:iam::*:user/* | arn:*:sts::*:assumed-role/*/* | arn:*:sts::*:federated-user/*) ;;
    *) nothing_applied "CodePipeline does not say who has approved it ('$approver')" ;;
  esac || return 1
  principal=$(printf %s "$approver" | cut -d : -f 6- | tr '[:upper:]' '[:lower:]')
  authors > "$WORK/authors" || return 1
  while read -r commit email; do
    while read -r known pattern; do
      [ "$email" = "$known" ] || continue
      pattern=$(printf %s "$pattern" | sed 's/[][\\]/\\&/g')
      # shellcheck disable=SC2254 # it is a pattern
      case $principal in
        $pattern)
          refuse "Nothing is applied: $approver has approved, and is an author of it ($known, commit $commit)." \
            'Fix: start the pipeline again, and let somebody else approve that run.'
          return 1
          ;;
      esac
    done << END
$STACK_AUTHORS
END
  done < "$WORK/authors"
}

# Whether the plan has not been used, and everything is still as it was planned. Marks it as used.
same_as_planned() {
  not_used || return 1
  { other_facts && state_facts; } > "$WORK/now" || return 1
  while IFS='=' read -r name now; do
    was=$(planned "$name")
    [ "$now" = "$was" ] ||
      nothing_applied "$(meaning "$name") has changed since the plan was made: it was '$was', it is '$now'" || return 1
  done < "$WORK/now"
  [ "$(planned changes)" = no ] || (cd "$WORK/used" && "$TERRAFORM" state push mark)
}

meaning() {
  case $1 in
    commit) [ -n "$STACK_OBJECT" ] && echo 'the version of the source' || echo 'the commit' ;;
    source_sha256) echo 'the files of the source (SHA-256)' ;;
    execution) echo 'the execution of the pipeline' ;;
    provider_lock_sha256) echo 'the provider lock file (SHA-256 of .terraform.lock.hcl)' ;;
    modules_sha256) echo 'the files of the modules (SHA-256)' ;;
    terraform_version) echo 'the version of Terraform' ;;
    state_lineage) echo 'the lineage of the state' ;;
    state_serial) echo 'the serial of the state' ;;
    state_version_id) echo 'the version of the state object in S3' ;;
    state_sha256) echo 'the content of the state (SHA-256)' ;;
  esac
}

# The mark of a used plan is beside the artifacts, which live as long. Two builds of this project never run at once.
not_used() {
  aside "$WORK/used" "$ARTIFACT_BUCKET" "$(artifact_folder)/used/$MANIFEST_SHA256" || return 1
  used=$(cd "$WORK/used" && "$TERRAFORM" state pull) || return 1
  case $used in
    '' | *'"lineage": ""'*) ;; # there is none
    *)
      used=$(printf %s "$used" | tr -d '\n' | sed -n 's/.*"value": *"\([^"]*\)".*/\1/p')
      nothing_applied "this plan was used already, by the build $used" || return 1
      ;;
  esac
  used=$(printf '"build": {"value": "%s", "type": "string"}' "$CODEBUILD_BUILD_ID")
  printf '{"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "%s", "outputs": {%s},"resources":[]}' \
    "$MANIFEST_SHA256" "$used" > "$WORK/used/mark"
}

apply_plan() {
  [ "$(planned changes)" = yes ] || { echo 'The plan has no changes: nothing is to be done.' && return; }
  # What rescue_state needs where the disk is full by then.
  head -c 1048576 /dev/zero > "$WORK/reserve" ||
    refuse 'Nothing is applied: the disk of this build is full. Fix: a larger compute_type for the stack.' || return 1
  APPLYING=yes
  terraform_apply
  result=$?
  rm -f "$WORK/reserve"
  [ "$result" -le 1 ] || died "$result"
  return "$result"
}

# Where Terraform can write the state neither to S3 nor to the disk, it prints it among its errors, with every secret in
# it. It becomes UNWRITTEN then, and is not shown. The rest is shown as it comes. A signal is for Terraform alone, which
# must not lose its standard error by it.
terraform_apply() {
  { UNWRITTEN=$({
    {
      trap : INT TERM HUP
      result=0
      "$TERRAFORM" apply -no-color -input=false -lock-timeout=60s "$SAVED/tfplan" 2>&1 >&3 3>&- 4>&- || result=$?
      printf '%s ' "$result" >&4
    } | (
      trap '' INT TERM HUP
      exec awk '
        BEGIN { start[1] = "^[{]$"; start[2] = "^  \"version\": [0-9]+,$"; start[3] = "^  \"terraform_version\": \"" }
        function show(i) { for (i = 1; i <= held; i++) print hold[i] > "/dev/stderr"; held = 0 }
        state { kept[++lines] = $0 }
        state && $0 == "}" { state = 0; print "(Not shown: the state, which holds secrets.)" > "/dev/stderr"; next }
        state { next }
        $0 !~ start[held + 1] { show() }
        $0 !~ start[held + 1] { print > "/dev/stderr"; next }
        { hold[++held] = $0 }
        held == 3 { for (i = 1; i <= held; i++) kept[++lines] = hold[i]; state = 1; held = 0 }
        END { show(); for (i = 1; i <= lines; i++) print kept[i] }
      ' 4>&-
    )
  } 4>&1); } 3>&1
  result=${UNWRITTEN%%[!0-9]*}
  UNWRITTEN=${UNWRITTEN#"$result "}
  return "${result:-1}"
}

# The state that Terraform could not write. It is kept, encrypted, where it can be.
rescue_state() {
  file=$CODEBUILD_SRC_DIR/$STACK_PATH/errored.tfstate
  [ -n "$APPLYING" ] && { [ -f "$file" ] || [ -n "$UNWRITTEN" ]; } || return 0
  # Of half a file, which is no state, Terraform has printed the whole.
  keep_aside "$(cat "$file" 2> /dev/null)" || keep_aside "$UNWRITTEN" ||
    refuse "The state could not be written anywhere. What this build made is named above, with its ids: import it."
}

# A state into the first place that takes it.
keep_aside() {
  [ -n "$1" ] || return 1
  for place in "$STATE_BUCKET $STATE_KEY.errored" "$ARTIFACT_BUCKET $(artifact_folder)/errored/$STACK_NAME.tfstate"; do
    rm -rf "$WORK/errored"
    if aside "$WORK/errored" "${place% *}" "${place#* }" && push_aside "$1"; then
      printf '\nThe state could not be written, and is kept in s3://%s/%s. Put it back:\n' "${place% *}" "${place#* }"
      printf '  ansible-playbook gitops.aws.restore_state -e @your.yml -e stack=%s -e rescued=true -e confirm=%s\n\n' \
        "$STACK_NAME" "$STACK_NAME"
      return
    fi
  done
  return 1
}

# Terraform gives the first state of a place another lineage and serial. The second one keeps its lineage, and gets the
# next serial. So a state is as it was when it is pushed twice, with the serial before. One that could not even be read
# has no lineage yet: it is given one.
push_aside() (
  cd "$WORK/errored" || return 1
  before=$(printf %s "$1" | awk '
    /^  "serial": [0-9]+,$/ && !done { $0 = sprintf("  \"serial\": %.0f,", ($2 + 0 ? $2 - 1 : 0)); done = 1 }
    { print }
  ')
  push() { printf '%s\n' "$before" | "$TERRAFORM" state push -force -; }
  push && { printf %s "$1" | grep -q '^  "lineage": "",$' || push; }
)

# End of functions.
