# Functions: what only the search for drift does. It writes no state and takes no lock.
# shellcheck shell=dash

# The commit that the stack's pipeline has applied last, '' where its last 50 executions do not tell.
applied_commit() {
  main=$(pipeline) && executions_of "${main%-drift}" || return 1
  while IFS='|' read -r status revision reason; do
    case $status:$reason in
      Succeeded:* | Stopped:'No changes'*) printf %s "$revision" && return ;;
    esac
  done < "$WORK/after/list"
}

# Goes to that commit, for what is merged and not applied yet is no drift; else stays at the head of the branch. Of an
# object in S3 no other version is at hand.
as_applied() {
  APPLIED=false
  if [ -n "$STACK_OBJECT" ]; then
    [ "$(applied_commit)" != "$SOURCE_VERSION" ] || APPLIED=true
    echo "Compares AWS with version $SOURCE_VERSION of $STACK_OBJECT. It is the last that was applied: $APPLIED."
  elif commit=$(applied_commit) && [ -n "$commit" ] && source_git checkout --quiet --detach "$commit"; then
    APPLIED=true
    echo "Compares AWS with commit $commit, the last that was applied."
  else
    echo "What was applied last is not known: compares AWS with the branch, commit $(source_git rev-parse HEAD)."
  fi
}

# Whether a Terraform that applies holds the stack's lock: what it makes is no drift.
applying() {
  aws_call s3 '' '' "/$STATE_BUCKET/$(state_path).tflock" > "$WORK/lock" 2> /dev/null &&
    grep -q OperationTypeApply "$WORK/lock" && return
  # shellcheck disable=SC2154 # the project has it
  table=$(printf %s "$TF_CLI_ARGS_init" | sed -n "s/.*-backend-config=dynamodb_table=\([^']*\)'.*/\1/p")
  [ -n "$table" ] && aws_call dynamodb DynamoDB_20120810.GetItem \
    "{\"TableName\":\"$table\",\"Key\":{\"LockID\":{\"S\":\"$STATE_BUCKET/$STATE_KEY\"}},\"ConsistentRead\":true}" \
    > "$WORK/lock" && grep -q OperationTypeApply "$WORK/lock"
}

# Waits two minutes for an apply to end.
wait_for_apply() {
  looks=0
  while applying; do
    [ "$looks" -lt 24 ] ||
      refuse "$STACK_NAME is being applied: nothing is compared. Fix: start this pipeline again when it has ended." ||
      return 1
    looks=$((looks + 1)) && sleep 5
  done
}

# What is in AWS, compared with the state: in SAVED/drift.json, without a value that is sensitive. Whether there is
# drift says what Terraform found of each resource, not its exit code: a changed output is none.
find_drift() {
  wait_for_apply && mkdir -p "$WORK/drift" && state_facts > "$WORK/before" || return 1
  time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  "$TERRAFORM" plan -refresh-only -lock=false -no-color -input=false -out="$WORK/drift/tfplan" || return 1
  "$TERRAFORM" show -json "$WORK/drift/tfplan" > "$WORK/drift/plan.json" || return 1
  if ! state_facts > "$WORK/now" || ! cmp -s "$WORK/before" "$WORK/now" || applying; then
    refuse "$STACK_NAME was applied in the meantime: what was found is not true. Fix: start this pipeline again."
    return 1
  fi
  cat > "$WORK/drift/main.tf" << 'END'
#include drift_facts.tf
END
  printf '{"version":1,"stack":"%s","state_key":"%s","commit":"%s","applied":%s,"time":"%s"}' \
    "$STACK_NAME" "$STATE_KEY" "$(revision)" "$APPLIED" "$time" > "$WORK/drift/about.json"
  # The plan as JSON holds every value in clear text: it stays nowhere, nor does what an error would show of it.
  {
    evaluate "$WORK/drift" local.report > "$SAVED/drift.json" && [ -s "$SAVED/drift.json" ] &&
      DRIFT_COUNT=$(evaluate "$WORK/drift" local.count) && PLAN_SUMMARY=$(evaluate "$WORK/drift" local.summary) &&
      PLAN_EFFECTS=$(evaluate "$WORK/drift" local.effects)
  } 2> /dev/null
  result=$?
  rm -r "$WORK/drift"
  [ "$result" -eq 0 ] || refuse 'What Terraform found could not be put in words.' || return 1
  printf '\nResources that have drifted: %s (%s). %s\n' "$DRIFT_COUNT" "$PLAN_SUMMARY" "$PLAN_EFFECTS"
}

# End of functions.
