#!/usr/bin/env python3
"""Checks how C++ files include each other: check_includes.py [ROOT].

Every header has `#pragma once`; a quoted include of ours is a path from the repository's root that
exists, or generated code of a .proto that exists; a .cc file includes its own header first.
"""

import os
import re
import sys

import tree

_QUOTED = re.compile(r'\s*#\s*include\s*"([^"]+)"')
# Libraries whose headers may be quoted too, as Google's style has it.
_LIBRARIES = ("absl/", "google/protobuf/", "grpcpp/", "gtest/", "gmock/", "benchmark/")
_GENERATED = re.compile(r"(.+?)(\.grpc)?\.pb\.h$")


def exists(root, included):
    if included.startswith(_LIBRARIES) or os.path.isfile(os.path.join(root, included)):
        return True
    generated = _GENERATED.match(included)
    return bool(generated) and os.path.isfile(
        os.path.join(root, "proto", generated.group(1) + ".proto"))


def check_file(root, path):
    lines = tree.lines(root, path)
    if path.endswith(".h") and "#pragma once" not in lines:
        yield f"{path}: a header without #pragma once"
    quoted = []
    for number, line in enumerate(lines, 1):
        match = _QUOTED.match(line)
        if not match:
            continue
        quoted.append(match.group(1))
        if not exists(root, match.group(1)):
            yield f"{path}:{number}: no file {match.group(1)} below the root or proto/"
    own = re.sub(r"\.cc$", ".h", path)
    if path.endswith(".cc") and own in quoted and quoted[0] != own:
        yield f"{path}: its own header is not its first include"


def check(root):
    sources = tree.files(root, (".h", ".cc"))
    return [problem for path in sources for problem in check_file(root, path)], len(sources)


if __name__ == "__main__":
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(tree.report(*check(sys.argv[1] if len(sys.argv) > 1 else here)))
