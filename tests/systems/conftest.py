"""Fixtures of the tests that run real binaries against a real Apache Kafka."""

import itertools
import os
import pathlib
import sys
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "kafka"))

import kafka as kafka_tool  # noqa: E402
import processes as process_tool  # noqa: E402

_topic_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kafka_available():
    """Real Kafka needs Java, and Maven once. Nothing else is a reason to skip."""
    reason = kafka_tool.missing()
    if reason:
        pytest.skip(f"no Apache Kafka: {reason}")
    kafka_tool.fetch()


@pytest.fixture(scope="session")
def kafka(kafka_available, tmp_path_factory):
    """One broker for all tests: they use topics of their own and leave it running."""
    cluster = kafka_tool.Cluster(tmp_path_factory.mktemp("kafka") / "cluster")
    cluster.start(owned=True)
    yield cluster
    cluster.stop(wipe=True)


@pytest.fixture
def kafka_cluster(kafka_available, tmp_path):
    """A function that starts a cluster for this test alone: one to break, or with other settings."""
    clusters = []

    def start(**options):
        cluster = kafka_tool.Cluster(tmp_path / f"kafka-{len(clusters)}")
        clusters.append(cluster)
        return cluster.start(owned=True, **options)

    yield start
    for cluster in clusters:
        cluster.stop(wipe=True)


@pytest.fixture
def make_topic(kafka):
    """A function that makes a topic of the shared broker, by a name of its own, and returns the name."""
    made = []

    def make(name=None, partitions=1, config=None):
        name = name or f"test-{os.getpid()}-{next(_topic_numbers)}"
        kafka.create_topic(name, partitions, config=config)
        made.append(name)
        return name

    yield make
    for name in made:
        kafka.delete_topic(name)


@pytest.fixture
def free_port():
    """A function that returns a free port of loopback."""
    return lambda: kafka_tool.free_ports(1)[0]


@pytest.fixture(scope="session")
def binaries():
    """Paths of the binaries under test: .ingest and .edge. SPILLWAY_BUILD_DIR: another build's."""
    build = pathlib.Path(os.environ.get("SPILLWAY_BUILD_DIR", ROOT / "build" / "dev"))
    paths = {name: build / "services" / name / f"spillway-{name}" for name in ("ingest", "edge")}
    for path in paths.values():
        assert path.exists(), f"{path} is not built: ./dev build"
    return types.SimpleNamespace(**paths)


@pytest.fixture
def processes(request, tmp_path):
    """Starts programs (processes.py); each has to stop by SIGTERM with code 0 when the test is over."""
    logs = os.environ.get("SPILLWAY_TEST_LOGS")
    folder = pathlib.Path(logs) / request.node.name.replace("/", "_") if logs else tmp_path / "logs"
    started = process_tool.Processes(folder)
    request.node.spillway_processes = started
    yield started
    problems = started.finish()
    assert not problems, "; ".join(problems)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that failed shows the end of the log of every process it had started."""
    report = yield
    started = getattr(item, "spillway_processes", None)
    if report.failed and started:
        for process in started.started:
            report.sections.append((f"the end of {process.log}", process.log_tail()))
    return report
