"""Short runs of ./dev chaos: everything breaks, and clients get each event once, in order, or are told."""

import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "chaos"))

import schedule  # noqa: E402
import seeds  # noqa: E402

FAULTS = 14  # as many as there are kinds with one broker
SEED = 20


def chaos(binaries, folder, *arguments):
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "chaos" / "run", "--build-dir", binaries.edge.parents[2], "--out", folder,
         "--brokers=1", "--ingests=2", "--clients=30", "--channels=20", "--rate=2000", f"--seed={SEED}", *arguments],
        capture_output=True, text=True, timeout=900, check=False)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    assert "nothing lost" in run.stdout


def test_clients_miss_nothing_whatever_breaks(kafka_available, binaries, tmp_path):
    chaos(binaries, tmp_path, f"--faults={FAULTS}", "--every=1")


def test_every_forced_gap_is_told_exactly(kafka_available, binaries, tmp_path):
    chaos(binaries, tmp_path, "--scenario=gaps", "--rounds=1")


def test_a_topic_made_anew_is_told_and_delivered(kafka_available, binaries, tmp_path):
    chaos(binaries, tmp_path, "--scenario=reset")


def test_seeds_go_on_where_they_were(tmp_path, capsys):
    program = tmp_path / "program.py"  # stands for a run: that of seed 3 goes wrong
    program.write_text("import sys, pathlib\n"
                       "seed, out = [argument.partition('=')[2] for argument in sys.argv[-2:]]\n"
                       "with open(pathlib.Path(out).parent / 'done', 'a') as done:\n    done.write(seed + ' ')\n"
                       "sys.exit(seed == '3')\n")
    out = tmp_path / "out"
    assert seeds.run(program, ["--rate=1"], seeds.parse_range("1-2"), out)
    assert not seeds.run(program, ["--rate=1"], seeds.parse_range("1-4"), out)
    assert (out / "done").read_text() == "1 2 3 4 "
    assert "3 of 4 seeds were well; not [3]" in capsys.readouterr().out
    seeds.run(program, ["--rate=2"], seeds.parse_range("1"), out)  # other options: all anew
    assert (out / "done").read_text() == "1 2 3 4 1 "


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
