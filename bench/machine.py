"""What a figure cannot be read without: the machine that it was measured on."""

import datetime
import os
import pathlib
import platform
import subprocess


def _first(path, prefix):
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(prefix):
            return line.partition(":")[2].strip()
    return ""


def _output(*command, cwd=None):
    try:
        return subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def facts(root):
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": _first("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(_first("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "load_before": [round(value, 2) for value in os.getloadavg()],
        "compiler": _output("c++", "--version").partition("\n")[0],
        "commit": _output("git", "rev-parse", "--short", "HEAD", cwd=root),
        "changed": bool(_output("git", "status", "--porcelain", "--untracked-files=no", cwd=root)),
    }


def line(facts):
    return (f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB, Linux {facts['kernel']}, load "
            f"{facts['load_before'][0]} before; commit {facts['commit']}{' and changes' if facts['changed'] else ''}")
