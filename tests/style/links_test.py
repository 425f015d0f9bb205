#!/usr/bin/env python3
"""Every link of the Markdown pages to a file of the repository leads somewhere."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "cmake"))

import tree  # noqa: E402

_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")


def broken(path):
    for number, line in enumerate(tree.lines(ROOT, path), 1):
        for target, _ in _LINK.findall(line):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
                yield f"{path}:{number}: a link to nowhere: {target}"


if __name__ == "__main__":
    pages = tree.files(ROOT, (".md",), new=False)
    sys.exit(tree.report([problem for page in pages for problem in broken(page)], len(pages)))
