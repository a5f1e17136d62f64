# Functions: what the buildspecs share; each has it inlined. POSIX sh, and what the official image has: busybox, git and
# Terraform.
# shellcheck shell=dash

# The message and failure: the command that calls it ends its phase.
refuse() {
  printf '\n%s\n\n' "$*"
  return 1
}

# Says what a Terraform has left that came to no end of its own, by its exit status.
died() {
  printf '\nTerraform has crashed or was killed (exit status %s); the memory of this build may be full. It may have left\n' "$1"
  printf 'its lock, and what it had begun. Fix: see what is left, and release the lock, before the next run:\n'
  printf '  ansible-playbook gitops.aws.unlock -e @your.yml -e stack=%s\n\n' "$STACK_NAME"
}

# The SHA-256 of standard input, in hexadecimal.
sha256() { sha256sum | cut -d ' ' -f 1; }

# The value of an expression of Terraform's language, evaluated in a directory. It is how JSON is read here.
evaluate() (
  cd "$1" || return 1
  value=$({ printf 'base64encode(%s)' "$2" | tr '\n' ' ' && echo; } | "$TERRAFORM" console) || return 1
  printf "%s\n" "$value" | tail -n 1 | tr -d '"' | base64 -d
)

# HMAC-SHA256 of standard input, in hexadecimal. The key is in hexadecimal, too, of 64 bytes at most.
hmac() {
  pads=$(printf '%s\n' "$1" | awk '{
    digits = "0123456789abcdef"
    for (i = 1; i < 129; i += 2) {
      high = index(digits, i > length($0) ? "0" : substr($0, i, 1))
      low = index(digits, i > length($0) ? "0" : substr($0, i + 1, 1))
      inner = inner substr("32107654ba98fedc", high, 1) substr("67452301efcdab89", low, 1)
      outer = outer substr("54761032dcfe98ba", high, 1) substr("cdef89ab45670123", low, 1)
    }
    print inner, outer
  }')
  inner=$({ printf %s "${pads% *}" | xxd -r -p; cat; } | sha256)
  printf %s "${pads#* }$inner" | xxd -r -p | sha256
}

# A call of an AWS API as the build's role, signed with Signature Version 4; the answer on standard output.
#   aws_call codepipeline CodePipeline_20150709.StopPipelineExecution '{...}'
#   aws_call s3 '' '' /bucket/key          with the answer's headers on standard error
aws_call() (
  service=$1 target=$2 body=$3 path=${4:-/}
  region=$(printf %s "$CODEBUILD_BUILD_ARN" | cut -d : -f 4)
  case $region in cn-*) suffix=amazonaws.com.cn ;; *) suffix=amazonaws.com ;; esac
  endpoint=${AWS_ENDPOINT_URL:-https://$service.$region.$suffix}
  host=${endpoint#*://}
  held=http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
  held=$(wget -q -O - "${AWS_CONTAINER_CREDENTIALS_FULL_URI:-$held}")
  credential() { printf %s "$held" | tr -d '\n' | sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p'; }
  time=$(date -u +%Y%m%dT%H%M%SZ)
  scope=${time%T*}/$region/$service/aws4_request
  digest=$(printf %s "$body" | sha256)
  token=$(credential Token)
  signed="host;x-amz-content-sha256;x-amz-date;x-amz-security-token${target:+;x-amz-target}"
  method=${target:+POST}
  request=$(printf '%s\n' "${method:-GET}" "$path" '' "host:$host" "x-amz-content-sha256:$digest" "x-amz-date:$time" \
    "x-amz-security-token:$token" ${target:+"x-amz-target:$target"} '' "$signed" "$digest")
  key=$(printf 'AWS4%s' "$(credential SecretAccessKey)" | xxd -p | tr -d '\n')
  for part in "${time%T*}" "$region" "$service" aws4_request; do key=$(printf %s "$part" | hmac "$key"); done
  request=$(printf %s "$request" | sha256)
  signature=$(printf '%s\n%s\n%s\n%s' AWS4-HMAC-SHA256 "$time" "$scope" "$request" | hmac "$key")
  scope=$(credential AccessKeyId)/$scope
  set -- --header "X-Amz-Content-Sha256: $digest" --header "X-Amz-Date: $time" --header "X-Amz-Security-Token: $token" \
    --header "Authorization: AWS4-HMAC-SHA256 Credential=$scope,SignedHeaders=$signed,Signature=$signature"
  if [ -n "$target" ]; then
    case $service in dynamodb) json=x-amz-json-1.0 ;; *) json=x-amz-json-1.1 ;; esac
    set -- "$@" --header "X-Amz-Target: $target" --header "Content-Type: application/$json" --post-data "$body"
  fi
  # What wget says of it, the answer's headers among that, goes into a variable, and the answer past it.
  { said=$(wget -q -S -O - "$@" "$endpoint$path" 2>&1 >&3); } 3>&1
  result=$?
  [ -n "$target" ] || printf '%s\n' "$said" >&2
  [ "$result" -ne 0 ] || return 0
  # busybox's tells no headers of an answer that refuses, and of one that never came there is none.
  of_answer() { printf '%s\n' "$said" | tr -d '\r' | sed -n "s/$1/\\1/p" | tail -n 1; }
  status=$(of_answer '.*\(HTTP\/[0-9.]* [0-9].*\)') clock=$(of_answer '^ *[Dd]ate: *\(.*\)')
  echo "A call of $service has failed: ${status:-$(of_answer '\(.*\)')}. The clock here: $(date -u '+%a, %d %b %Y %T GMT');" \
    "that of AWS: ${clock:-not told}. Where they differ by minutes, AWS refuses every call." >&2
  return "$result"
)

# The pipeline that the build belongs to, and the folder of its artifacts, which CodePipeline names so.
pipeline() { printf %s "${CODEBUILD_INITIATOR#codepipeline/}"; }
artifact_folder() { printf %.20s "$(pipeline)"; }

# Ends the pipeline's execution after this build, for a reason.
stop_pipeline() {
  body=$(printf '{"pipelineName":"%s","pipelineExecutionId":"%s","abandon":false,"reason":"%s"}' \
    "$(pipeline)" "$EXECUTION_ID" "$1")
  aws_call codepipeline CodePipeline_20150709.StopPipelineExecution "$body" > /dev/null
}

# git in the repository that is built, whoever owns its files.
source_git() { git -c "safe.directory=$CODEBUILD_SRC_DIR" -C "$CODEBUILD_SRC_DIR" "$@"; }

# What is built: the commit, or the version of an object in S3.
revision() { if [ -n "$STACK_OBJECT" ]; then printf %s "$SOURCE_VERSION"; else source_git rev-parse HEAD; fi; }
revision_in_words() {
  if [ -n "$STACK_OBJECT" ]; then printf 'version %s' "$SOURCE_VERSION"; else
    printf 'commit %s' "$(source_git rev-parse --short HEAD)"
  fi
}

# The SHA-256 of the files and symbolic links of the source as they came. A commit's id says as much, a version's does
# not. Of a link it is where it leads to that counts; find makes no path with two slashes.
source_digest() (
  cd "$CODEBUILD_SRC_DIR" && {
    find . -type f -exec sha256sum {} +
    # shellcheck disable=SC2016 # it is the other shell's
    find . -type l -exec sh -c 'for link; do { printf "%s//" "$link"; readlink "$link"; } | sha256sum; done' - {} +
  } | sort | sha256
)

# Whether the commit is, or was, the head of the stack's branch. What a merge has brought in was not: it may have been
# reverted before anybody has looked. An object in S3 is on no branch: who may write it deploys.
on_branch() {
  if [ -n "$STACK_OBJECT" ]; then
    case $SOURCE_VERSION in
      '' | null) refuse "$STACK_OBJECT has no version. Fix: turn on the versions of its bucket, and write it again." ;;
      *) SOURCE_SHA256=$(source_digest) ;;
    esac
    return
  fi
  head=$(source_git rev-parse HEAD) || return 1
  branch=refs/remotes/origin/$STACK_BRANCH
  source_git rev-parse --quiet --verify "$branch" > /dev/null ||
    source_git fetch --quiet origin "+refs/heads/$STACK_BRANCH:$branch" || return 1
  source_git rev-list --first-parent "$branch" | grep -qx "$head" ||
    refuse "Refused: the commit $head is not on the branch $STACK_BRANCH of the stack $STACK_NAME. Fix: merge it there."
}

# What an operation of CodePipeline says of this execution, as JSON in WORK/execution. Variables are read so, and not
# handed over by the pipeline: it puts them into JSON as they are, so that one with quotes in it could set any variable.
of_execution() {
  mkdir -p "$WORK/execution"
  aws_call codepipeline "CodePipeline_20150709.$1" "$2" > "$WORK/execution/answer.json" ||
    refuse "This execution cannot be read. Fix: give this build's role codepipeline:$1 on its pipeline, if the call" \
      "above was refused, and both clocks are right; else start the pipeline again."
}

# A variable that the execution was started with.
execution_variable() {
  of_execution GetPipelineExecution \
    "$(printf '{"pipelineName":"%s","pipelineExecutionId":"%s"}' "$(pipeline)" "$EXECUTION_ID")" >&2 &&
    evaluate "$WORK/execution" "join(\"\", [
      for each in try(jsondecode(file(\"answer.json\")).pipelineExecution.variables, []) : each.resolvedValue
      if each.name == \"$1\"
    ])"
}

# The folder of the stack, ready for Terraform.
enter_stack() {
  cd "$CODEBUILD_SRC_DIR/$STACK_PATH" ||
    refuse "The repository has no folder '$STACK_PATH' at this commit. Fix: the path of the stack." || return 1
  [ -z "$STACK_AWS_CONFIG" ] || printf %s "$STACK_AWS_CONFIG" > .gitops-aws-config
  rm -f errored.tfstate
  "$TERRAFORM" init -no-color || return 1
  # Without the block Terraform takes no part of the backend's configuration, and keeps the state in this container.
  grep -q '"type": *"s3"' .terraform/terraform.tfstate 2> /dev/null ||
    refuse "The code has no S3 backend, so that its state would be lost. Fix: terraform { backend \"s3\" {} }"
}

# The state's key, as S3 takes it in an address.
state_path() { printf %s "$STATE_KEY" | sed 's/+/%2B/g; s/=/%3D/g; s/@/%40/g'; }

# What the state is now, a `name=value` on each line; the values are empty while there is no state.
state_facts() {
  "$TERRAFORM" state pull > "$WORK/state.json" || return 1
  lineage='' serial='' version='' digest=''
  # Of a state that is not there yet, Terraform makes one without a lineage, or nothing.
  if [ -s "$WORK/state.json" ]; then
    lineage=$(evaluate "$WORK" 'jsondecode(file("state.json")).lineage') || return 1
  fi
  if [ -n "$lineage" ]; then
    path=/$STATE_BUCKET/$(state_path)
    serial=$(evaluate "$WORK" 'jsondecode(file("state.json")).serial') || return 1
    # The object as it is: Terraform writes it anew each time, its check results in any order.
    version=$(aws_call s3 '' '' "$path" 2>&1 > "$WORK/state.object") ||
      refuse "The state s3://$STATE_BUCKET/$STATE_KEY cannot be read: $version" >&2 || return 1
    version=$(printf %s "$version" | tr -d '\r' | sed -n 's/^ *[Xx]-[Aa]mz-[Vv]ersion-[Ii]d: *//p')
    version=${version:-none} # of a bucket without versions
    digest=$(sha256 < "$WORK/state.object")
    [ -n "$serial" ] && [ -s "$WORK/state.object" ] || return 1
  fi
  rm -f "$WORK/state.json" "$WORK/state.object"
  printf 'state_%s=%s\n' lineage "$lineage" serial "$serial" version_id "$version" sha256 "$digest"
}

# What else a plan depends on.
other_facts() {
  printf 'commit=%s\n' "$(revision)"
  [ -z "$STACK_OBJECT" ] || printf 'source_sha256=%s\n' "$SOURCE_SHA256"
  printf 'execution=%s\n' "$EXECUTION_ID"
  printf 'provider_lock_sha256=%s\n' "$([ ! -f .terraform.lock.hcl ] || sha256 < .terraform.lock.hcl)"
  # The plan holds the code of modules, but not the files that it names: they are fetched once more for the apply.
  printf 'modules_sha256=%s\n' "$([ ! -d .terraform/modules ] ||
    find .terraform/modules -name .git -prune -o -type f -exec sha256sum {} + | sort | sha256)"
  printf 'terraform_version=%s\n' "$("$TERRAFORM" version | head -n 1)"
}

# A folder in which Terraform's backend is another object than the stack's state. It has no lock.
aside() (
  mkdir -p "$1" && { [ ! -f .gitops-aws-config ] || cp .gitops-aws-config "$1"; } && cd "$1" || return 1
  printf 'terraform {\n  backend "s3" {}\n}\n' > main.tf
  "$TERRAFORM" init -no-color -reconfigure "-backend-config=bucket=$2" "-backend-config=key=$3" \
    -backend-config=dynamodb_table= -backend-config=use_lockfile=false > init.log 2>&1 || { cat init.log; return 1; }
)

# Starts the pipelines of the stacks that come after this one.
start_dependents() {
  for name in $STACK_DEPENDENTS; do
    # What is applied is applied: the others are tried, and this build has not failed.
    if aws_call codepipeline CodePipeline_20150709.StartPipelineExecution "{\"name\":\"$name\"}" > /dev/null; then
      echo "Started $name, which comes after this stack."
    else
      echo "$name, which comes after this stack, could not be started. Fix: start it."
    fi
  done
}

# End of functions.
