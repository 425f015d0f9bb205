"""Runs of one seed after the other, with a table, and a state from which they go on where they were."""

import json
import re
import shutil
import subprocess
import sys
import time

HEAD = f"{'seed':>10}  {'result':<7}{'seconds':>8}{'records':>12}{'deliveries':>13}{'resumed':>9}{'gaps':>8}"


def parse_range(text):
    """FIRST-LAST, or one seed."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise ValueError(f"{text} is no range of seeds: FIRST-LAST")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


class State:
    """What each seed came to, in a file that is whole at any time. For other options it begins anew."""

    def __init__(self, path, options):
        self.path = path
        self.data = {"options": options, "seeds": {}}
        if path.exists():
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["options"] == options:
                self.data = data

    def of(self, seed):
        return self.data["seeds"].get(str(seed))

    def keep(self, seed, result):
        self.data["seeds"][str(seed)] = result
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")
        fresh.replace(self.path)


def row(seed, result):
    return (f"{seed:>10}  {'ok' if result['ok'] else 'WRONG':<7}{result['seconds']:>8.0f}{result.get('records', 0):>12,}"
            f"{result.get('delivered', 0):>13,}{result.get('resumed', 0):>9,}{result.get('gaps', 0):>8,}")


def run(program, arguments, seeds, out):
    """Each seed in a process of its own and a folder of its own, of which only failures keep journals. Whether all were well."""
    out.mkdir(parents=True, exist_ok=True)
    state = State(out / "seeds.json", arguments)
    print(HEAD, flush=True)
    for seed in seeds:
        if state.of(seed) is None:
            state.keep(seed, _run(program, arguments, seed, out / f"seed-{seed}"))
        print(row(seed, state.of(seed)), flush=True)
    bad = [seed for seed in seeds if not state.of(seed)["ok"]]
    print(f"{len(seeds) - len(bad)} of {len(seeds)} seeds were well" + (f"; not {bad}: see {out}" if bad else ""))
    return not bad


def _run(program, arguments, seed, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    began = time.monotonic()
    with open(folder / "output.txt", "wb") as output:
        code = subprocess.run([sys.executable, program, *arguments, f"--seed={seed}", f"--out={folder}"],
                              stdout=output, stderr=output, check=False).returncode
    if code == 130:
        raise KeyboardInterrupt
    result = {"ok": code == 0, "seconds": time.monotonic() - began}
    report = folder / "report.json"
    if report.exists():
        result.update(json.loads(report.read_text(encoding="utf-8"))["counts"])
    if result["ok"]:
        for journal in folder.glob("journal.*"):
            journal.unlink()
    return result
