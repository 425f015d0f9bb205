# shellcheck shell=bash
# ./dev format, lint, sanitize and fuzz. Sourced by ./dev.

need() {
  command -v "$1" >/dev/null || die "$1 is not installed: ./dev setup --all"
}

cmd_format() {
  need clang-format
  case ${1:-} in
    '') sources '*.h' '*.cc' | xargs -0 -r clang-format -i ;;
    --check) sources '*.h' '*.cc' | xargs -0 -r clang-format --dry-run -Werror ;;
    *) die "format: unknown option $1" ;;
  esac
}

# C++ files changed since the branch left main: committed, not committed, and new ones. On main itself,
# where nothing is left uncommitted, those of the last commit.
changed_sources() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main)
  if [[ $base == "$(git rev-parse HEAD)" && -z $(git status --porcelain) ]]; then
    base=$(git rev-parse --verify -q HEAD~1 || git rev-parse HEAD)
  fi
  { git diff --name-only --diff-filter=d "$base" -- '*.cc' '*.h'
    git ls-files --others --exclude-standard -- '*.cc' '*.h'; } | sort -u
}

# The sources to hand to clang-tidy: those named that the build knows; a header is seen through its .cc.
tidy_sources() {
  local file
  declare -A seen=()
  while read -r file; do
    file=${file%.h}
    file=${file%.cc}.cc
    [[ -f $file && -z ${seen[$file]:-} ]] || continue
    seen[$file]=1
    grep -qF "\"$root/$file\"" build/dev/compile_commands.json && echo "$file"
  done
  return 0
}

cmd_lint() {
  local all='' rc=0 files=()
  [[ ${1:-} != --all ]] || { all=1; shift; }
  (($# == 0)) || die "lint: unknown option $1"
  need clang-format
  need clang-tidy
  need shellcheck

  say "style checks"
  local check
  for check in layers file_length includes text; do
    "$(system_python)" -B "cmake/check_$check.py" || rc=1
  done
  say "clang-format"
  cmd_format --check || rc=1
  say "shellcheck"
  git grep -lzE '^#!.*\b(ba)?sh\b' -- . | xargs -0 -r shellcheck -x || rc=1

  build dev # clang-tidy reads the generated headers
  if [[ -n $all ]]; then
    mapfile -t files < <(git ls-files '*.cc' | tidy_sources)
  else
    mapfile -t files < <(changed_sources | tidy_sources)
  fi
  "$(system_python)" -B tools/dev/tidy.py build/dev "$jobs" "${files[@]}" || rc=1
  return "$rc"
}

sanitize_one() {
  local preset=$1 here=$PWD/tools/dev/sanitizers
  build "$preset" || return
  say "unit and integration tests under $preset"
  # Libraries that were not built with the sanitizer make reports of their own: those are ignored, ours not.
  ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1 \
  LSAN_OPTIONS=suppressions=$here/lsan.txt:print_suppressions=0 \
  UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
  TSAN_OPTIONS=suppressions=$here/tsan.txt:ignore_noninstrumented_modules=1:second_deadlock_stack=1:print_suppressions=0 \
    ctest --test-dir "build/$preset" -L '^(unit|integration)$' -j "$jobs" --output-on-failure --timeout 300
}

cmd_sanitize() {
  local preset presets=("$@") rc=0
  ((${#presets[@]})) || presets=(asan tsan)
  setup
  for preset in "${presets[@]}"; do
    [[ $preset == asan || $preset == tsan ]] || die "sanitize: asan or tsan, not $preset"
    sanitize_one "$preset" || rc=1
  done
  return "$rc"
}

# What is found new goes to build/fuzz/corpus; --keep adds to fuzz/corpus what covers more than that does.
cmd_fuzz() {
  local seconds=60 keep='' targets=() target rc=0
  while (($#)); do
    case $1 in
      --seconds) seconds=${2:?--seconds takes a number}; shift 2 ;;
      --keep) keep=1; shift ;;
      -*) die "fuzz: unknown option $1" ;;
      *) targets+=("$1"); shift ;;
    esac
  done
  need clang++-14
  ((${#targets[@]})) || mapfile -t targets < <(ls fuzz/corpus)
  for target in "${targets[@]}"; do
    [[ -d fuzz/corpus/$target ]] || die "fuzz: no target $target: one of $(ls -x fuzz/corpus)"
  done
  setup
  build fuzz "${targets[@]/#/fuzz_}" || return
  for target in "${targets[@]}"; do
    say "fuzz $target, $seconds s"
    mkdir -p "build/fuzz/corpus/$target" "build/fuzz/found"
    "build/fuzz/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/found/$target-" "build/fuzz/corpus/$target" "fuzz/corpus/$target" || rc=1
    if [[ -n $keep ]]; then
      "build/fuzz/fuzz/fuzz_$target" -merge=1 "fuzz/corpus/$target" "build/fuzz/corpus/$target" || rc=1
    fi
  done
  ((rc == 0)) || say "an input that broke something is in build/fuzz/found: mend it, and put it into fuzz/corpus"
  return "$rc"
}
