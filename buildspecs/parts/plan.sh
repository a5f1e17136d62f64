# Functions: what only the plan does.
# shellcheck shell=dash

# The folder of what is saved, beside the source, which must not bring it: all that is in it is handed on with the plan.
empty_saved() {
  mkdir "$SAVED" ||
    refuse "Refused: the source has a '${SAVED##*/}' of its own, where the plan is saved. Fix: another name for it."
}

# The newest 50 executions of a pipeline, in WORK/after/list: status|commit|reason, the newest first.
executions_of() {
  mkdir -p "$WORK/after" && aws_call codepipeline CodePipeline_20150709.ListPipelineExecutions \
    "{\"pipelineName\":\"$1\",\"maxResults\":50}" > "$WORK/after/executions.json" &&
    evaluate "$WORK/after" 'join("", [
      for each in jsondecode(file("executions.json")).pipelineExecutionSummaries : format("%s|%s|%s\n",
        each.status, try(each.sourceRevisions[0].revisionId, ""), try(each.stopTrigger.reason, ""))
    ])' > "$WORK/after/list"
}

# How the newest execution of a pipeline with a commit in it fared: applied, running, failed, or none where none has it.
#   fate_of PIPELINE COMMIT
fate_of() {
  executions_of "$1" || return 1
  while IFS='|' read -r status revision reason; do
    source_git merge-base --is-ancestor "$2" "$revision" 2> /dev/null || continue
    case $status:$reason in
      Succeeded:* | Stopped:'No changes'*) echo applied ;;
      InProgress:* | Stopping:*) echo running ;;
      *) echo failed ;;
    esac
    return 0
  done < "$WORK/after/list"
  echo none
}

# Ends the execution where a stack that this one comes after has yet to apply what this commit has for it. When it has,
# it starts this pipeline again, by its last build: so what runs is given two minutes to end.
wait_for_others() {
  while IFS='|' read -r name paths; do
    [ -n "$name" ] || continue
    # shellcheck disable=SC2086 # the paths are to be split
    needed=$(set -f && IFS='|' && set -- $paths && source_git log -1 --format=%H HEAD -- "$@") || return 1
    [ -n "$needed" ] || continue
    looks=0
    while fate=$(fate_of "$name" "$needed") && [ "$fate" = running ] && [ "$looks" -lt 24 ]; do
      looks=$((looks + 1)) && sleep 5
    done
    case $fate in
      applied) continue ;;
      '') refuse "$name cannot be looked at. Fix: give this build's role codepipeline:ListPipelineExecutions." ;;
    esac || return 1
    [ "$IMPORTS" = none ] ||
      refuse "$name has yet to apply commit $needed. Fix: run it first, then this pipeline with the same imports." ||
      return 1
    WAITS="Waits for $name to apply commit $(printf %.12s "$needed") ($fate): when it has, it starts this pipeline."
    printf '\n%s\n' "$WAITS"
    PLAN_SUMMARY="no plan" PLAN_EFFECTS=$WAITS PLAN_ID=none MANIFEST_SHA256=none
    printf '%s\n' "$WAITS" | tee "$SAVED/manifest" > "$SAVED/tfplan"
    stop_pipeline "$WAITS" ||
      refuse "The execution could not be ended. Fix: give this build's role codepipeline:StopPipelineExecution."
    return
  done << END
$STACK_AFTER
END
}

# Whether the commit is on a branch of the repository itself: whoever may not push there runs nothing here.
not_a_fork() {
  other='/origin/\(pr\|pull\|HEAD\)\(/\|$\)' # where the heads of pull requests may be kept
  source_git for-each-ref --format='%(refname)' refs/remotes/origin | grep -qv "$other" ||
    source_git fetch --quiet origin '+refs/heads/*:refs/remotes/origin/*' || return 1
  source_git for-each-ref --contains HEAD --format='%(refname)' refs/remotes/origin | grep -qv "$other" ||
    refuse "Refused: this commit is on no branch of the repository, but in a fork. Nothing of it was run."
}

# Whether a program that a check needs is in the image.
have() {
  command -v "$1" > /dev/null ||
    refuse "The check $1 is asked for, and this image has no $1. Fix: an image that has it, or no such check."
}

failed() { refuse "The check $1 has failed: nothing is planned any further. What it found is above."; }

# The checks of the code.
check_code() {
  for check in $STACK_CHECKS; do
    case $check in
      fmt) "$TERRAFORM" fmt -check -diff -recursive -no-color ;;
      validate) "$TERRAFORM" validate -no-color ;;
      tflint) have tflint && { [ ! -f .tflint.hcl ] || tflint --init; } && tflint --no-color ;;
      trivy) have trivy && trivy config --quiet --exit-code 1 . ;;
      *) continue ;;
    esac || failed "$check" || return 1
  done
}

# Whether who started the destruction has typed the stack's name.
confirmed() {
  IMPORTS=none
  confirm=$(execution_variable confirm) || return 1
  [ "$confirm" = "$STACK_NAME" ] ||
    refuse "Nothing is destroyed: the pipeline variable confirm is '$confirm', it must be '$STACK_NAME'."
}

# The imports that who started the pipeline asks for.
imports_given() {
  IMPORTS=$(execution_variable imports) || return 1
  IMPORTS=${IMPORTS:-none}
}

# Resources that are there already, to be taken into the state: a JSON object of addresses and ids, in base64. They
# become import blocks, and nothing else, whatever the values are.
write_imports() {
  [ "$IMPORTS" != none ] || return 0
  mkdir -p "$WORK/imports" && printf %s "$IMPORTS" | base64 -d > "$WORK/imports/imports.json"
  cat > "$WORK/imports/main.tf" << 'END'
locals {
  imports = jsondecode(file("${path.module}/imports.json"))
  address = "^[\\pL_][\\pL\\pN_.-]*(?:\\[(?:[0-9]+|\"[^\"\\\\$%]*\")\\][\\pL\\pN_.-]*)*$"
  blocks = join("", [
    for address, id in local.imports : format("import {\n  to = %s\n  id = %s\n}\n",
      regex(local.address, address), replace(replace(jsonencode(tostring(id)), "$${", "$$${"), "%%{", "%%%{")
    )
  ])
}
END
  if ! evaluate "$WORK/imports" local.blocks > gitops_imports.tf || [ ! -s gitops_imports.tf ]; then
    refuse "The pipeline variable imports must be a JSON object of addresses and ids, in base64. Fix: see run.yml."
  fi
}

# The plan, and what it would do as JSON, which holds every value in clear text: describe_plan removes it.
make_plan() {
  "$TERRAFORM" plan -no-color -input=false -detailed-exitcode -out="$SAVED/tfplan" "$@"
  result=$?
  # One that was killed is told by it.
  case $result in 0) CHANGES=no ;; 2) CHANGES=yes ;; 1) return 1 ;; *) died "$result"; return "$result" ;; esac
  # A Terraform that crashes ends with 2 as well, and one whose disk is full saves half of a plan and says nothing.
  mkdir -p "$WORK/facts" || return 1
  "$TERRAFORM" show -json "$SAVED/tfplan" > "$WORK/facts/plan.json" ||
    refuse 'The saved plan cannot be read: Terraform has crashed, or the memory or the disk of this build is full. Fix:' \
      'start the pipeline again; where the state is locked then, see gitops.aws.unlock, and where it happens again, take' \
      'a larger compute_type for the stack.'
}

# The plan of a stack's pipeline, with what it depends on.
plan_stack() {
  write_imports && state_facts > "$WORK/manifest" || return 1
  case $PLAN_MODE in
    destroy) make_plan -lock-timeout=60s -destroy ;;
    *) make_plan -lock-timeout=60s ;;
  esac
}

# The checks of the plan.
check_plan() {
  for check in $STACK_CHECKS; do
    case $check in
      checkov)
        have checkov &&
          checkov --quiet --compact --skip-download --framework terraform_plan --file "$WORK/facts/plan.json"
        ;;
      conftest)
        have conftest &&
          conftest test --no-color --policy "$CODEBUILD_SRC_DIR/$STACK_POLICY_PATH" "$WORK/facts/plan.json"
        ;;
      *) continue ;;
    esac || failed "$check" || return 1
  done
}

# The plan in words.
describe_plan() {
  cat > "$WORK/facts/main.tf" << 'END'
#include plan_facts.tf
END
  { PLAN_SUMMARY=$(evaluate "$WORK/facts" local.summary) && PLAN_EFFECTS=$(evaluate "$WORK/facts" local.effects); } ||
    PLAN_SUMMARY='a plan that could not be put in words' PLAN_EFFECTS='Read the log.'
  rm "$WORK/facts/plan.json"
  [ "$CHANGES" = yes ] || PLAN_SUMMARY='no changes'
  # The approval's message holds 1,000 characters, and this is not all that is in it.
  room=$((850 - ${#STACK_NAME} - ${#STACK_BRANCH} - ${#STACK_OBJECT} - ${#PLAN_SUMMARY}))
  [ "${#PLAN_EFFECTS}" -le "$room" ] || PLAN_EFFECTS=$(printf "%.${room}s" "$PLAN_EFFECTS")'... The log says all.'
}

# The manifest: the SHA-256 of the plan, and all that it depends on. Its own SHA-256 goes through the approval.
write_manifest() {
  {
    cat "$WORK/manifest"
    other_facts
    printf 'mode=%s\nchanges=%s\nplan_sha256=%s\n' "$PLAN_MODE" "$CHANGES" "$(sha256 < "$SAVED/tfplan")"
  } | sort > "$SAVED/manifest"
  MANIFEST_SHA256=$(sha256 < "$SAVED/manifest")
  PLAN_ID=$(printf %.12s "$MANIFEST_SHA256")
  printf '\nPlan %s: %s. %s\n' "$PLAN_ID" "$PLAN_SUMMARY" "$PLAN_EFFECTS"
}

# A plan without changes ends the execution where somebody would be asked.
end_without_changes() {
  [ "$CHANGES" = no ] && [ "$APPROVAL" = true ] || return 0
  echo 'Nothing is to be done, and nobody is asked: the execution ends here.'
  [ "$PLAN_MODE" = destroy ] || start_dependents
  stop_pipeline "No changes: what is there is what $(revision_in_words) says." ||
    echo 'The execution could not be ended (codepipeline:StopPipelineExecution), and so waits for approval.'
}

# End of functions.
