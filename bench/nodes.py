"""The processes of a measurement: Kafka, ingest, edges, and the load tool, each on its cores."""

import ctypes
import json
import os
import pathlib
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


class Cores:
    """Which cores are whose: the first for what is measured, the others for what measures it."""

    def __init__(self, server=None, load=None, pin=True):
        there = sorted(os.sched_getaffinity(0))
        pin = pin and len(there) > 1
        self.server = set(server or (there[:1] if pin else there))
        self.load = set(load or (there[1:] if pin else there))
        self.pinned = pin

    def of(self, whose):
        return self.server if whose == "server" else self.load

    def __str__(self):
        if not self.pinned:
            return "nothing pinned"
        return f"measured on core {_list(self.server)}, load on {_list(self.load)}"


def _list(numbers):
    return ",".join(map(str, sorted(numbers)))


def child(cpus):
    """For a child between fork and exec: it ends with this program, however that ends, and stays on its cores."""
    def prepare():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        os.sched_setaffinity(0, cpus)
    return prepare


class Node:
    """A running ingest or edge."""

    def __init__(self, name, command, env, log, cpus):
        self.name, self.log = name, log
        with open(log, "wb") as stream:
            self.popen = subprocess.Popen([str(part) for part in command], env={**os.environ, **env},
                                          stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                                          preexec_fn=child(cpus))
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
    """A real one where it is asked for and there is one to be had, else the broker inside ingest."""

    def __init__(self, root, folder, cores, wish="auto"):
        self.root, self.folder, self.cores, self.wish = root, folder, cores, wish
        self.cluster, self.why = None, "asked for"

    def start(self):
        """Starts a real one, once; nothing where only the embedded one is left."""
        if self.cluster or self.wish == "embedded":
            return
        sys.path.insert(0, str(self.root / "tools" / "kafka"))
        import kafka
        self.why = kafka.missing() or self._missing_package()
        if self.why and self.wish == "real":
            raise BenchError(f"no real Kafka: {self.why}")
        if not self.why:
            kafka.Cluster(self.folder).stop(wipe=True)
            self.cluster = kafka.Cluster(self.folder).start(owned=True)
            for pid in self.pids.values():
                for thread in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(thread), self.cores.load)

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
        return f"the broker inside ingest ({self.why}): its latency is up to 10 ms, its CPU is ingest's"

    @property
    def pids(self):
        return {"kafka": self.cluster.status()[0]["pid"]} if self.cluster else {}

    def stop(self):
        if self.cluster:
            self.cluster.stop(wipe=True)
            self.cluster = None


class Variant:
    """Something to try beside the plain run: "LABEL:WORD,WORD...", where a word is
    edge.KEY=VALUE or ingest.KEY=VALUE, a setting laid over the configuration; NAME=VALUE in capitals, for the
    environment of what is measured; build=DIR, the binaries of another build."""

    def __init__(self, text=""):
        self.label, _, words = text.partition(":")
        self.settings, self.env, self.build = {"edge": [], "ingest": []}, {}, None
        for word in filter(None, words.split(",")):
            key, equals, value = word.partition("=")
            tier = key.partition(".")[0]
            if not equals:
                raise BenchError(f"variant {self.label}: {word} is not NAME=VALUE")
            if key == "build":
                self.build = pathlib.Path(value).absolute()
            elif tier in self.settings and tier != key:
                self.settings[tier] += ["--set", word]
            elif key.isupper():
                self.env[key] = value
            else:
                raise BenchError(f"variant {self.label}: {key} is neither edge.KEY, ingest.KEY, build nor a name in capitals")


class Context:
    """What all measurements share."""

    def __init__(self, root, build, out, cores, kafka, workers, times=None):
        self.root, self.build, self.out, self.cores, self.kafka, self.workers = root, build, out, cores, kafka, workers
        self.times = times or {"warmup": 2, "seconds": 8}  # of publishing
        self.number = 0  # of stacks, for names that are used once
        self.variant = Variant()
        self.publishes_records = False

    @property
    def source(self):
        """Where the events of a scenario came from, for its table."""
        return self.kafka.name if self.publishes_records else "events by the publish API, or none"

    def binary(self, *path):
        return self.build.joinpath(*path)


class Stack:
    """One ingest and some edges; a context manager.

    `topics`: {name: {"partitions": N, "channel": TEMPLATE}}; a record's member "c" is its channel's number.
    `real_kafka`: records are published; else the broker inside ingest only has to be there.
    `ingest_on`, `edge_on`: "server" or "load", whose cores they get.
    `edge`, `ingest`, `endpoint`: settings that are laid over the ordinary ones; `edge` may be a function of the stack.
    """

    def __init__(self, context, topics=None, edges=1, real_kafka=False, ingest_on="load", edge_on="server", edge=None,
                 ingest=None, endpoint=None):
        self.context, self.nodes = context, []
        context.number += 1
        self.suffix = f"-{os.getpid()}-{context.number}"
        self.topics = topics or {"load": {"partitions": 1, "channel": "load:{/c}"}}
        if real_kafka:
            context.kafka.start()
            context.publishes_records = True
        self.cluster = context.kafka.cluster if real_kafka else None
        if self.cluster:
            for name, topic in self.topics.items():
                self.cluster.create_topic(self.topic(name), topic["partitions"])
        logs = context.out / "logs" / str(context.number)
        logs.mkdir(parents=True, exist_ok=True)
        self.endpoint = {"path": "/ws", "auth": {"secret": "${JWT_SECRET}"}, **(endpoint or {})}
        files = {}
        for tier, config in (("ingest", _laid_over(self._ingest(), ingest)),
                             ("edge", _laid_over(self._edge(), edge(self) if callable(edge) else edge))):
            files[tier] = logs / f"{tier}.yaml"
            files[tier].write_text(json.dumps({tier: config}, indent=1), encoding="utf-8")  # JSON is YAML
        self.env = {"JWT_SECRET": secrets.token_hex(32)}
        try:
            self.ingest = self._start("ingest", ["--config", files["ingest"]], logs, ingest_on)
            self.ingest.wait_ready()
            self.edges = []
            for number in range(edges):
                name = "edge" if edges == 1 else f"edge{number}"
                self.edges.append(self._start(name, [
                    "--config", files["edge"], "--set", f"edge.node_id={name}", "--set",
                    f"edge.ingests.addresses=[{self.ingest.addresses['grpc']}]"], logs, edge_on))
            for node in self.edges:
                node.wait_ready()
        except BaseException:
            self.stop()
            raise
        self.edge = self.edges[0]
        self.bootstrap = self.cluster.bootstrap if self.cluster else self.ingest.addresses["kafka"]

    def topic(self, name):
        """A topic's name on the broker: every stack has its own."""
        return name + self.suffix

    def _ingest(self):
        topics = [{"name": self.topic(name), "partitions": topic["partitions"]} for name, topic in self.topics.items()]
        return {
            "node_id": "ingest", "listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0", "advertised_address": "",
            "shards": self.context.workers, "log": {"level": "warn"},
            "kafka": {"brokers": self.cluster.bootstrap if self.cluster else "127.0.0.1:1"},
            "embedded_broker": {"enabled": not self.cluster, "topics": topics},
            "routes": [{"name": name, "topics": [self.topic(name)], **topic.get("route", {}),
                        "emit": [{"channels": [topic["channel"]], "type": "load", **topic.get("emit", {})}]}
                       for name, topic in self.topics.items()]}

    def _edge(self):
        return {
            "listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0", "threads": self.context.workers,
            "ingests": {"addresses": ["127.0.0.1:1"]},  # known later
            "admin": {"listen": ""}, "log": {"level": "warn"}, "shutdown_grace": "1s", "endpoints": [self.endpoint],
            "default_access": "authenticated"}

    def _start(self, name, arguments, logs, whose):
        tier = "ingest" if name == "ingest" else "edge"
        variant = self.context.variant
        binary = (variant.build or self.context.build).joinpath("services", tier, f"spillway-{tier}")
        node = Node(name, [binary, *arguments, *variant.settings[tier]], {**self.env, **variant.env}, logs / f"{name}.log",
                    self.context.cores.of(whose))
        self.nodes.append(node)
        return node

    @property
    def pids(self):
        return {node.name: node.pid for node in self.nodes}

    def load(self, scheme="ws", **flags):
        """Runs spillway-load with these flags; its report."""
        urls = [f"{scheme}://{edge.addresses['public']}{self.endpoint['path']}?token={{token}}" for edge in self.edges]
        pids = {**self.pids, **(self.context.kafka.pids if self.cluster else {})}
        return run_load(self.context, urls, pids, env=self.env, jwt_secret_env="JWT_SECRET", brokers=self.bootstrap,
                        ingest=self.ingest.addresses["grpc"], **flags)

    def stop(self):
        for node in reversed(self.nodes):
            node.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _laid_over(base, over):
    """`over` wins; mappings merge key by key."""
    if not over:
        return base
    merged = dict(base)
    for key, value in over.items():
        merged[key] = _laid_over(base[key], value) if isinstance(value, dict) and key in base else value
    return merged


def run_load(context, urls, pids, env=None, **flags):
    """Runs spillway-load against any server; its report."""
    command = [context.binary("tools", "load", "spillway-load"), f"--url={','.join(urls)}",
               f"--pids={','.join(f'{name}={pid}' for name, pid in pids.items())}",
               *(f"--{name}={value}" for name, value in flags.items())]
    # Connecting, publishing, and as long again for what a broker or a server is behind with.
    bound = 90 + float(flags.get("connect_timeout", 60)) + sum(
        float(flags.get(name, 0)) for name in ("seconds", "warmup", "idle"))
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                             env={**os.environ, **(env or {})}, timeout=bound, preexec_fn=child(context.cores.load))
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"spillway-load did not end within {bound:.0f} s") from error
    if run.returncode:
        raise BenchError(f"spillway-load ended with {run.returncode}: {run.stderr.strip()}")
    return {"flags": {"url": urls[0], "edges": len(urls), **{name: str(value) for name, value in flags.items()}},
            **json.loads(run.stdout)}
