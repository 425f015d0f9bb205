"""One ingest or more and one edge or more as real processes, and what tests want to know of them."""

import json
import os
import pathlib
import re
import shutil
import time

import confluent_kafka
import jwt
import processes as process_tool
import rpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECRET = "a-secret-of-the-tests-32-bytes-long"


def token(sub="u1", secret=SECRET, ttl=3600, **claims):
    """A client's token; ttl: seconds, negative for one that has expired."""
    now = int(time.time())
    return jwt.encode({"sub": sub, "iat": now - 7200, "exp": now + ttl, **claims}, secret, "HS256")


class Node:
    """A running ingest or edge: .process, the addresses it says that it listens on, and its metrics."""

    def __init__(self, process):
        self.process = process
        line = process.wait_for_log(r'(?m)^\{"event":"listening".*$').group(0)
        self.addresses = json.loads(line)

    def __getattr__(self, name):
        try:
            return self.addresses[name]
        except KeyError:
            raise AttributeError(name) from None

    def get(self, path):
        """(status, body) of a GET on the operations port."""
        return process_tool.http_get(f"http://{self.ops}{path}")

    def ready(self):
        """(status, document) of /ready."""
        status, body = self.get("/ready")
        return status, json.loads(body) if status else {}

    def wait_ready(self, timeout=20):
        self.process.wait_ready(f"http://{self.ops}/ready", timeout)
        return self

    def metrics(self):
        return Metrics(self.get("/metrics")[1])

    def rpc(self, bearer=None):
        """A client of the admin API (edge) or of the gRPC API (ingest)."""
        return rpc.Client(self.addresses.get("admin") or self.addresses["grpc"], bearer)


class Metrics:
    """A scrape: .types by family name, and sums of samples."""

    def __init__(self, text):
        self.text = text
        self.types = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text))
        self.samples = [(name, dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value))
                        for name, labels, value in
                        re.findall(r"(?m)^(\w+)(?:\{(.*)\})? (\S+)$", text)]

    def sum(self, name, **labels):
        return sum(value for sample, found, value in self.samples
                   if sample == name and labels.items() <= found.items())

    def labels(self, name, label):
        return {found[label] for sample, found, _ in self.samples if sample == name and label in found}


class Stack:
    """Starts nodes; every process has to stop by SIGTERM with code 0 in finish()."""

    def __init__(self, binaries, folder, name):
        logs = os.environ.get("SPILLWAY_TEST_LOGS")
        self.binaries = binaries
        self.folder = pathlib.Path(folder)
        folder = pathlib.Path(logs) / name if logs else self.folder / "logs"
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier run: what it says would be believed
        self.processes = process_tool.Processes(folder)

    def command(self, tier, sets=(), preset=None, config=None):
        """The command line; config: a dict that becomes a file."""
        command = [getattr(self.binaries, tier), "--presets-folder", ROOT / "config" / "presets"]
        if preset:
            command += ["--preset", preset]
        if config is not None:
            path = self.folder / f"config-{len(list(self.folder.glob('config-*')))}.yaml"
            path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
            command += ["--config", path]
        for item in sets:
            command += ["--set", item]
        return command

    def ingest(self, sets=(), preset=None, config=None, env=None, name="ingest", port=0):
        sets = [f"ingest.listen=127.0.0.1:{port}", "ingest.ops_listen=127.0.0.1:0",
                "ingest.catalogue_refresh=1s", *sets]
        return Node(self.processes.start(name, self.command("ingest", sets, preset, config), env))

    def edge(self, ingests, sets=(), preset=None, config=None, env=None, name="edge"):
        """ingests: nodes or addresses."""
        addresses = ",".join(one if isinstance(one, str) else one.grpc for one in ingests)
        sets = ["edge.listen=127.0.0.1:0", "edge.ops_listen=127.0.0.1:0",
                "edge.admin.listen=127.0.0.1:0", f"edge.ingests.addresses=[{addresses}]", *sets]
        env = {"JWT_SECRET": SECRET, **(env or {})}
        return Node(self.processes.start(name, self.command("edge", sets, preset, config), env))

    def finish(self):
        problems = self.processes.finish()
        assert not problems, "; ".join(problems)


class Producer:
    """Sends records one by one, at once, and waits for Kafka's answers."""

    def __init__(self, cluster, **more):
        self.bootstrap = cluster.bootstrap
        self._producer = confluent_kafka.Producer(cluster.client_config(**{"linger.ms": 0, **more}))
        self._failures = []

    def send(self, topic, value, key=None, partition=-1):
        """value: bytes as they are, None, or anything that becomes JSON."""
        if value is not None and not isinstance(value, bytes):
            value = json.dumps(value).encode()
        self._producer.produce(topic, value, key, partition, on_delivery=self._done)
        self._producer.poll(0)

    def flush(self):
        assert self._producer.flush(20) == 0
        assert not self._failures, self._failures

    def put(self, topic, value, key=None, partition=-1):
        self.send(topic, value, key, partition)
        self.flush()

    def _done(self, error, _):
        if error:
            self._failures.append(error)


def make_topics(cluster, partitions_by_topic):
    """Creates those of the topics that are not there, all in one request."""
    admin = cluster.admin()
    from confluent_kafka.admin import NewTopic
    there = admin.list_topics(timeout=10).topics
    new = [NewTopic(name, num_partitions=partitions, replication_factor=1)
           for name, partitions in partitions_by_topic.items() if name not in there]
    if not new:
        return
    for future in admin.create_topics(new, operation_timeout=20).values():
        future.result(30)

    def led():
        found = admin.list_topics(timeout=10).topics
        return all(name in found and not found[name].error
                   and all(p.leader >= 0 for p in found[name].partitions.values())
                   for name in partitions_by_topic)
    process_tool.wait_until(led, what="leaders for the new topics")
