"""The files of the source tree, for the style checks beside this module."""

import os
import subprocess

_SKIPPED = {".git", ".venv", ".cache", ".tools", "build", "node_modules", "__pycache__"}


def files(root, suffixes=(), new=True):
    """Paths below root, '/'-separated and sorted: what git tracks and, with `new`, would track.

    Every file where there is no git.
    """
    others = ["--others", "--exclude-standard"] if new else []
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", *others],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if listed.returncode == 0:
        paths = listed.stdout.decode().split("\0")
    else:
        paths = []
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in _SKIPPED]
            paths += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted({path for path in paths
                   if path and (not suffixes or path.endswith(tuple(suffixes)))
                   and os.path.isfile(os.path.join(root, path))})


def lines(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as stream:
        return stream.read().splitlines()


def report(problems, checked):
    """Prints the problems, one a line, and returns the exit code."""
    for problem in problems:
        print(problem)
    print(f"{checked} files checked, {len(problems)} problems")
    return 1 if problems else 0
