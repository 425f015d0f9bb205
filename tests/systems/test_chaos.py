"""A short run of ./dev chaos: everything breaks, and clients get each event once, in order."""

import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "chaos"))

import schedule  # noqa: E402

FAULTS = 14  # as many as there are kinds with one broker
SEED = 20


def test_clients_miss_nothing_whatever_breaks(kafka_available, binaries, tmp_path):
    build = binaries.edge.parents[2]
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "chaos" / "run", "--build-dir", build, "--out", tmp_path, f"--faults={FAULTS}",
         "--every=1.5", f"--seed={SEED}", "--brokers=1", "--ingests=2", "--clients=30", "--channels=20", "--rate=2000"],
        capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    assert "nothing lost" in run.stdout


class Kind:
    def __init__(self, name, weight):
        self.name, self.weight = name, weight


KINDS = [Kind("often", 4), Kind("now and then", 1), Kind("seldom", 0.3)]


def test_every_kind_of_fault_has_its_quota():
    plan = schedule.plan(KINDS, 100, random.Random(1))
    assert len(plan) == 100
    assert [plan.count(kind) for kind in KINDS] == [74, 19, 7]
    assert set(plan[:3]) == set(KINDS)  # each before any comes again


def test_a_schedule_is_that_of_its_seed():
    def names(seed):
        return [kind.name for kind in schedule.plan(KINDS, 50, random.Random(seed))]

    assert names(1) == names(1) != names(2)


def test_few_faults_are_of_different_kinds():
    assert len({kind.name for kind in schedule.plan(KINDS, 2, random.Random(1))}) == 2
