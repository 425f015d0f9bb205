"""A short run of ./dev chaos: everything breaks, and clients get each event once, in order, or are told."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAULTS = 10
SEED = 20


def test_clients_miss_nothing_whatever_breaks(kafka_available, binaries, tmp_path):
    build = binaries.edge.parents[2]
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "chaos" / "run", "--build-dir", build, "--out", tmp_path, f"--faults={FAULTS}",
         f"--seed={SEED}", "--brokers=1", "--ingests=2", "--clients=40", "--rate=300"],
        capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    assert "nothing lost in silence" in run.stdout
