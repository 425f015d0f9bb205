"""The processes of a measurement: Kafka, one ingest, one edge."""

import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

START_SECONDS = 30


class BenchError(Exception):
    """It cannot be measured; the message says why."""


def die_with_parent():
    """For a child between fork and exec: it ends with this program, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Node:
    """A running ingest or edge."""

    def __init__(self, name, command, env, log):
        self.name, self.log = name, log
        with open(log, "wb") as stream:
            self.popen = subprocess.Popen([str(part) for part in command], env={**os.environ, **env},
                                          stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                                          preexec_fn=die_with_parent)
        self.pid = self.popen.pid
        self.addresses = self.wait(self._listening, "to listen")

    def _listening(self):
        for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith('{"event":"listening"'):
                return json.loads(line)
        return None

    def _ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.addresses['ops']}/ready", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self):
        self.wait(self._ready, "to be ready")

    def wait(self, condition, what):
        deadline = time.monotonic() + START_SECONDS
        while True:
            value = condition()
            if value:
                return value
            ended = self.popen.poll()
            if ended is not None or time.monotonic() > deadline:
                tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])
                how = f"ended with {ended}" if ended is not None else f"took over {START_SECONDS} s {what}"
                raise BenchError(f"{self.name} {how}; the end of {self.log}:\n{tail}")
            time.sleep(0.02)

    def metric(self, name):
        """Sum of a metric's samples."""
        with urllib.request.urlopen(f"http://{self.addresses['ops']}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines
                   if line.startswith((name + " ", name + "{")))

    def stop(self):
        if self.popen.poll() is not None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


class Kafka:
    """A real one where there is one to be had, else None for `cluster`: then ingest brings its own."""

    def __init__(self, root, folder, wish):
        sys.path.insert(0, str(root / "tools" / "kafka"))
        import kafka
        self.cluster, self.why = None, ""
        if wish == "embedded":
            self.why = "asked for"
            return
        self.why = kafka.missing() or self._missing_package()
        if self.why and wish == "real":
            raise BenchError(f"no real Kafka: {self.why}")
        if not self.why:
            kafka.Cluster(folder).stop(wipe=True)
            self.cluster = kafka.Cluster(folder).start(owned=True)

    @staticmethod
    def _missing_package():
        try:
            import confluent_kafka  # noqa: F401
        except ImportError:
            return "the Python package confluent-kafka is not there (./dev setup)"
        return None

    @property
    def name(self):
        if self.cluster:
            return "Apache Kafka, one broker on this machine"
        return f"the broker inside ingest ({self.why}): latency and CPU of ingest are not those of a real Kafka"

    @property
    def pids(self):
        return {"kafka": self.cluster.status()[0]["pid"]} if self.cluster else {}

    def stop(self):
        if self.cluster:
            self.cluster.stop(wipe=True)


class Stack:
    """One ingest and one edge over some topics; a context manager.

    Records are {"c": NAME, ...} and go to the channel load:NAME.
    """

    def __init__(self, root, build, logs, kafka, topics):
        self.kafka = kafka
        self.nodes = []
        binaries = {tier: build / "services" / tier / f"spillway-{tier}" for tier in ("ingest", "edge")}
        if kafka.cluster:
            for name, partitions in topics.items():
                kafka.cluster.create_topic(name, partitions)
        config = {
            "ingest": {
                "node_id": "ingest", "listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0",
                "advertised_address": "", "log": {"level": "warn"},
                "kafka": {"brokers": kafka.cluster.bootstrap if kafka.cluster else "127.0.0.1:1"},
                "embedded_broker": {"enabled": not kafka.cluster, "topics": [
                    {"name": name, "partitions": partitions} for name, partitions in topics.items()]},
                "routes": [{"name": "load", "topics": list(topics), "emit": [
                    {"channels": ["load:{/c}"], "type": "load"}]}]},
            "edge": {
                "node_id": "edge", "listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0",
                "ingests": {"addresses": ["127.0.0.1:1"]},  # known later
                "admin": {"listen": ""}, "log": {"level": "warn"}, "shutdown_grace": "1s",
                "endpoints": [{"path": "/ws", "auth": {"secret": "${JWT_SECRET}"}}]}}
        logs.mkdir(parents=True, exist_ok=True)
        file = logs / "config.yaml"
        file.write_text(json.dumps(config, indent=1), encoding="utf-8")  # JSON is YAML
        env = {"JWT_SECRET": secrets.token_hex(32)}
        common = ["--config", file]
        try:
            self.ingest = self._start("ingest", [binaries["ingest"], *common], env, logs)
            self.ingest.wait_ready()
            self.edge = self._start("edge", [
                binaries["edge"], *common, "--set",
                f"edge.ingests.addresses=[{self.ingest.addresses['grpc']}]"], env, logs)
            self.edge.wait_ready()
        except BaseException:
            self.stop()
            raise
        self.bootstrap = kafka.cluster.bootstrap if kafka.cluster else self.ingest.addresses["kafka"]
        self.token = subprocess.run(
            [build / "tools" / "token" / "spillway-token", "--sub", "bench"], env={**os.environ, **env}, check=True,
            text=True, stdout=subprocess.PIPE).stdout.strip()
        self.load_tool = build / "tools" / "load" / "spillway-load"

    def _start(self, name, command, env, logs):
        self.nodes.append(Node(name, command, env, logs / f"{name}.log"))
        return self.nodes[-1]

    def load(self, **flags):
        """Runs spillway-load with these flags; its report."""
        pids = {"edge": self.edge.pid, "ingest": self.ingest.pid, **self.kafka.pids}
        command = [self.load_tool, f"--edge={self.edge.addresses['public']}", f"--target=/ws?token={self.token}",
                   f"--brokers={self.bootstrap}", f"--pids={','.join(f'{k}={v}' for k, v in pids.items())}",
                   *(f"--{name}={value}" for name, value in flags.items())]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                             timeout=120, preexec_fn=die_with_parent)
        if run.returncode:
            raise BenchError(f"spillway-load ended with {run.returncode}: {run.stderr.strip()}")
        return json.loads(run.stdout)

    def stop(self):
        for node in reversed(self.nodes):
            node.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
