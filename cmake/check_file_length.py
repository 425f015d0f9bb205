#!/usr/bin/env python3
"""Checks that no C++ file has grown past LIMIT lines: check_file_length.py [ROOT]."""

import os
import sys

import tree

LIMIT = 400


def check(root):
    sources = tree.files(root, (".h", ".cc"))
    lengths = ((path, len(tree.lines(root, path))) for path in sources)
    return [f"{path}: {length} lines, more than {LIMIT}: split it"
            for path, length in lengths if length > LIMIT], len(sources)


if __name__ == "__main__":
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(tree.report(*check(sys.argv[1] if len(sys.argv) > 1 else here)))
