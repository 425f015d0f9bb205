# shellcheck shell=bash
# ./dev test: every stage, its output in build/dev/test-logs, one line of totals at the end.
# Sourced by ./dev.

all_stages=(style unit integration systems e2e autobahn)
logs=build/dev/test-logs
passed=0 failed=0 skipped=0

# count STAGE PASSED FAILED SKIPPED SECONDS
count() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  printf '%-12s %5d passed %4d failed %4d skipped  %4d s\n' "$1" "$2" "$3" "$4" "$5"
}

# Counts what a JUnit report says; a stage that failed without naming a test counts as one failure.
count_report() {
  local stage=$1 rc=$2 seconds=$3 report=$logs/$1.xml p=0 f=0 s=0
  if [[ -s $report ]]; then
    read -r p f s < <("$(system_python)" -B tools/dev/junit_totals.py "$report" "$logs/$stage.summary")
  fi
  ((rc == 0 || f > 0)) || f=1
  count "$stage" "$p" "$f" "$s" "$seconds"
  if ((f > 0)); then
    printf -- '---- the end of %s:\n' "$logs/$stage.log"
    tail -n 80 "$logs/$stage.log"
    printf -- '----\n'
  fi
  [[ ! -s $logs/$stage.summary ]] || sed 's/^/             /' "$logs/$stage.summary"
}

# bounded SECONDS STAGE COMMAND...: runs it with its output in the stage's log.
bounded() {
  local limit=$1 stage=$2 rc=0
  shift 2
  timeout -s INT -k 20 "$limit" "$@" >"$logs/$stage.log" 2>&1 </dev/null || rc=$?
  ((rc != 124)) || echo "not done after $limit s: stopped" >>"$logs/$stage.log"
  return "$rc"
}

run_ctest() {
  local stage=$1 start=$SECONDS rc=0
  bounded 900 "$stage" ctest --test-dir build/dev -L "^$stage\$" -j "$jobs" --output-on-failure \
    --no-tests=ignore --output-junit "$PWD/$logs/$stage.xml" || rc=$?
  count_report "$stage" "$rc" $((SECONDS - start))
}

run_pytest() {
  local stage=$1 start=$SECONDS rc=0
  SPILLWAY_TEST_LOGS=$PWD/$logs/$stage PATH=$PWD/.tools:$PATH \
    bounded 1200 "$stage" "$(python)" -B -m pytest -q -rs -p no:cacheprovider "tests/$stage" \
    --junitxml "$logs/$stage.xml" || rc=$?
  ((rc != 5)) || rc=0 # no tests
  count_report "$stage" "$rc" $((SECONDS - start))
}

# tools/autobahn/run ends with a line of totals like ours, or with code 77 and a reason: skipped.
run_autobahn() {
  local start=$SECONDS rc=0 totals p=0 f=0 s=0
  bounded 600 autobahn tools/autobahn/run --quick --build-dir build/dev || rc=$?
  totals=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$logs/autobahn.log" | tail -n 1) || true
  if [[ -n $totals ]]; then
    read -r p f s <<<"${totals//[^0-9 ]/}"
    ((rc == 0 || f > 0)) || f=1
  elif ((rc == 77)); then
    s=1
    echo "skipped: autobahn: $(tail -n 1 "$logs/autobahn.log")" >"$logs/autobahn.summary"
  elif ((rc == 0)); then
    p=1
  else
    f=1
  fi
  count autobahn "$p" "$f" "$s" $((SECONDS - start))
  ((f == 0)) || tail -n 40 "$logs/autobahn.log"
  [[ ! -s $logs/autobahn.summary ]] || sed 's/^/             /' "$logs/autobahn.summary"
}

totals() {
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
}

cmd_test() {
  local stages=("$@") stage start=$SECONDS
  ((${#stages[@]})) || stages=("${all_stages[@]}")
  for stage in "${stages[@]}"; do
    [[ " ${all_stages[*]} " == *" $stage "* ]] || die "test: no stage $stage; there are: ${all_stages[*]}"
  done
  mkdir -p "$logs"
  rm -rf "${logs:?}"/*
  # Not in a condition, which would switch `set -e` off inside: a subshell of its own, and its code.
  set +e
  (set -e; setup; build dev)
  local rc=$?
  set -e
  if ((rc != 0)); then
    failed=1
    echo "setup or build failed"
    totals
    exit 1
  fi
  printf '%-12s %s s\n' 'build' $((SECONDS - start))
  for stage in "${stages[@]}"; do
    case $stage in
      style | unit | integration) run_ctest "$stage" ;;
      systems | e2e) run_pytest "$stage" ;;
      autobahn) run_autobahn ;;
    esac
  done
  echo "logs: $logs; $((SECONDS - start)) s in all"
  totals
  ((failed == 0))
}
