"""clang-tidy over the sources named: tools/dev/tidy.py BUILD_DIR JOBS SOURCE...

A source that was found clean is passed over until it, a header that it includes, its compile command, .clang-tidy
or clang-tidy itself changes; BUILD_DIR/tidy-clean has a file for each, which names that state. What a source includes
is known from its last build. Exits with 1 if anything was found.
"""

import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys


def dependencies(build_dir):
    """By absolute path of a source: every file that the compiler read for it."""
    listed = subprocess.run(["ninja", "-C", build_dir, "-t", "deps"], capture_output=True, text=True, check=True)
    by_source, files = {}, []
    for line in listed.stdout.splitlines():
        if line.startswith(" "):
            files.append(os.path.normpath(os.path.join(build_dir, line.strip())))
            if len(files) == 1:  # the source itself comes first
                by_source[files[0]] = files
        else:
            files = []
    return by_source


class Keys:
    """Names for a source in its present state, for one configuration of clang-tidy."""

    def __init__(self, build_dir):
        self._dependencies = dependencies(build_dir)
        with open(os.path.join(build_dir, "compile_commands.json"), encoding="utf-8") as commands:
            self._commands = {entry["file"]: entry["command"] for entry in json.load(commands)}
        version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
        self._common = version + self._digest(".clang-tidy")
        self._digests = {}

    @staticmethod
    def _digest(path):
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).digest()

    def of(self, source):
        """None if it was not built yet."""
        path = os.path.abspath(source)
        files = self._dependencies.get(path)
        if files is None:
            return None
        key = hashlib.sha256(self._common + self._commands[path].encode())
        for file in files:
            try:
                if file not in self._digests:
                    self._digests[file] = self._digest(file)
            except OSError:
                return None
            key.update(file.encode() + b"\0" + self._digests[file])
        return key.hexdigest()


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def check(build_dir, source):
    """What clang-tidy prints; whether the source is clean."""
    done = subprocess.run(["clang-tidy", "-p", build_dir, "--quiet", source], capture_output=True, text=True)
    # Its standard error only counts warnings that it does not show, unless it could not work at all.
    return done.stdout or (done.stderr if done.returncode else ""), done.returncode == 0


def main(build_dir, jobs, *sources):
    build_dir = os.path.abspath(build_dir)
    clean = os.path.join(build_dir, "tidy-clean")
    os.makedirs(clean, exist_ok=True)
    keys = Keys(build_dir)
    key_of = {source: keys.of(source) for source in sources}
    mark_of = {source: os.path.join(clean, source.replace("/", "+")) for source in sources}
    due = [source for source in sources if key_of[source] is None or read(mark_of[source]) != key_of[source]]
    print(f"== clang-tidy: {len(due)} files, {len(sources) - len(due)} known to be clean", file=sys.stderr)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        runs = {pool.submit(check, build_dir, source): source for source in due}
        for run in concurrent.futures.as_completed(runs):
            text, passed = run.result()
            sys.stdout.write(text)
            sys.stdout.flush()
            source = runs[run]
            if not passed:
                bad += 1
            elif key_of[source] is not None:
                with open(mark_of[source], "w", encoding="utf-8") as mark:
                    mark.write(key_of[source])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
