# shellcheck shell=bash
# What every command of ./dev shares. Sourced by it, with the working directory at the repository's root.

die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

say() { printf '== %s\n' "$*" >&2; }

jobs=${SPILLWAY_JOBS:-$(nproc)}

# The virtual environment's Python where there is one, else Debian's.
python() {
  if [[ -x .venv/bin/python ]]; then echo .venv/bin/python; else system_python; fi
}

system_python() {
  if [[ -x /usr/bin/python3 ]]; then echo /usr/bin/python3; else command -v python3; fi
}

# build PRESET [TARGET]...: CMake runs again by itself when a list changed, ninja does the rest.
build() {
  local preset=$1
  shift
  if [[ ! -f build/$preset/build.ninja || CMakePresets.json -nt build/$preset/build.ninja ]]; then
    say "configuring build/$preset"
    cmake --preset "$preset" >&2 || return
  fi
  say "building build/$preset ${*:-(everything)}"
  ninja -C "build/$preset" -j "$jobs" "$@" >&2
}

# Tracked and new files that match the patterns given, NUL-terminated.
sources() { git ls-files -z --cached --others --exclude-standard -- "$@"; }
