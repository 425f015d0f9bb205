#!/usr/bin/env python3
"""Checks the text of every file that git tracks: check_text.py [ROOT].

No path or address that only one machine has, no address of a package registry (the tools' own settings
name those), nothing marked as unfinished; LF line ends, no trailing blanks, a line end at the end.
"""

import os
import re
import sys

import tree

FORBIDDEN = [
    # The classes of one letter keep this file from finding itself.
    (re.compile(r"(?<![\w.~}-])/([w]ork|[r]oot|[h]ome/\w+|[U]sers/\w+)/"), "a path of one machine"),
    (re.compile(r"(?i)[p]ypi\.org|[p]ythonhosted\.org|[r]egistry\.npmjs|[r]epo1?\.maven|"
                r"[p]roxy\.golang|[a]rtifactory|[j]frog|[d]eb\.debian\.org"),
     "the address of a package registry"),
    (re.compile(r"\b([T]ODO|[F]IXME|[X]XX)\b"), "something unfinished"),
    (re.compile(r"^(<{7}|>{7}) "), "a merge conflict"),
]
BINARY = (".png", ".ico", ".jpg", ".gz", ".zip", ".pb", ".bin", ".woff2", ".p12", ".desc")
# Recorded byte for byte, fuzzing inputs among them.
RAW = ("fuzz/corpus/", "tests/golden/")


def check_file(root, path):
    with open(os.path.join(root, path), "rb") as stream:
        content = stream.read()
    if b"\0" in content:
        return
    lines = content.decode("utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, 1):
        for pattern, what in FORBIDDEN:
            match = pattern.search(line)
            if match:
                yield f"{path}:{number}: {what}: {match.group(0)}"
        if line != line.rstrip() and not path.endswith(".md"):
            yield f"{path}:{number}: blanks or a CR at the line's end"
    if content and not content.endswith(b"\n"):
        yield f"{path}: no line end at the end of the file"


def check(root):
    paths = [path for path in tree.files(root, new=False)
             if not path.endswith(BINARY) and not path.startswith(RAW)]
    return [problem for path in paths for problem in check_file(root, path)], len(paths)


if __name__ == "__main__":
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(tree.report(*check(sys.argv[1] if len(sys.argv) > 1 else here)))
