# shellcheck shell=bash
# Installing what the build and the tests need, and nothing that is there already. Sourced by ./dev.

build_packages=(
  build-essential ca-certificates ccache cmake git ninja-build pkg-config
  libabsl-dev libbenchmark-dev libboost1.81-dev libcjose-dev libcurl4-openssl-dev libfmt-dev libgmock-dev libgrpc++-dev
  libgrpc-dev libgtest-dev libjansson-dev libprotobuf-dev librdkafka-dev libsimdjson-dev libspdlog-dev
  libssl-dev libyaml-cpp-dev prometheus-cpp-dev protobuf-compiler protobuf-compiler-grpc zlib1g-dev
  python3 python3-venv
)
test_packages=(kcat openssl)
lint_packages=(clang-format clang-tidy shellcheck)
fuzz_packages=(clang-14 libclang-rt-14-dev)
chart_packages=(docker-compose)

grpcurl_version=v1.9.4
helm_version=v3.22.0

# Prints those of the packages that are not installed.
missing_packages() {
  local package
  declare -A installed=()
  while read -r package; do installed[$package]=1; done < <(
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p')
  for package in "$@"; do
    [[ -n ${installed[$package]:-} ]] || echo "$package"
  done
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    return 1
  fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
}

# apt_ensure REQUIRED... -- WANTED...: what is wanted may be missing afterwards, with a warning.
apt_ensure() {
  local required=() wanted=() missing=() missing_required=()
  while (($#)) && [[ $1 != -- ]]; do required+=("$1"); shift; done
  shift
  wanted=("$@")
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: nothing is installed; needed: ${required[*]} ${wanted[*]}"
    return
  fi
  mapfile -t missing < <(missing_packages "${required[@]}" "${wanted[@]}")
  ((${#missing[@]})) || return 0
  mapfile -t missing_required < <(missing_packages "${required[@]}")
  say "installing ${missing[*]}"
  if as_root apt-get update -q >&2 && apt_install "${missing[@]}"; then
    return
  fi
  if ((${#missing_required[@]})) && ! apt_install "${missing_required[@]}"; then
    die "could not install packages; as root: apt-get install ${missing_required[*]}"
  fi
  say "not installed, the tests that need them will be skipped: $(missing_packages "${wanted[@]}" | xargs)"
}

# Java 17 and Maven bring the real Kafka of the tests; any installation of them will do.
java_packages() {
  local major
  major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1) || true
  ((${major:-0} >= 17)) || echo default-jre-headless
  command -v mvn >/dev/null || echo maven
}

# venv_ensure REQUIREMENTS...: what was installed is known by the requirements' own text.
venv_ensure() {
  local stamp=.venv/installed wanted file arguments=()
  wanted=$(cat "$@")
  [[ -x .venv/bin/python && -f $stamp && $(<"$stamp") == "$wanted" ]] && return
  say "installing Python packages into .venv"
  [[ -x .venv/bin/python ]] || "$(system_python)" -m venv .venv
  for file in "$@"; do arguments+=(-r "$file"); done
  .venv/bin/python -m pip install --disable-pip-version-check -q "${arguments[@]}" >&2
  printf '%s\n' "$wanted" >"$stamp"
}

# go_ensure NAME VERSION PACKAGE: a tool into .tools, remembered with its version.
go_ensure() {
  local name=$1 version=$2 package=$3
  [[ -x .tools/$name && $(cat ".tools/$name.version" 2>/dev/null) == "$version" ]] && return
  if ! command -v go >/dev/null; then
    command -v "$name" >/dev/null || say "no go: $name is not installed (tests have other means)"
    return 0
  fi
  say "installing $name $version into .tools"
  mkdir -p .tools
  if GOBIN=$PWD/.tools go install "$package@$version" >&2; then
    echo "$version" >".tools/$name.version"
  else
    say "$name could not be installed: what needs it is skipped"
  fi
}

# setup [--all]
setup() {
  [[ ${SPILLWAY_NO_SETUP:-} != 1 ]] || return 0
  local wanted=("${test_packages[@]}") requirements=(tests/systems/requirements.txt) java
  mapfile -t java < <(java_packages)
  wanted+=("${java[@]}")
  if [[ ${1:-} == --all ]]; then
    wanted+=("${lint_packages[@]}" "${fuzz_packages[@]}" "${chart_packages[@]}")
    requirements+=(tests/e2e/requirements.txt)
  elif grep -qs kubernetes-validate .venv/installed; then
    requirements+=(tests/e2e/requirements.txt) # set up with --all before
  fi
  apt_ensure "${build_packages[@]}" -- "${wanted[@]}"
  venv_ensure "${requirements[@]}"
  go_ensure grpcurl "$grpcurl_version" github.com/fullstorydev/grpcurl/cmd/grpcurl
  if [[ ${1:-} == --all ]]; then
    go_ensure helm "$helm_version" helm.sh/helm/v3/cmd/helm
  fi
}

cmd_setup() {
  [[ $# == 0 || ($# == 1 && $1 == --all) ]] || die "setup: unknown option $1"
  setup "$@"
}
