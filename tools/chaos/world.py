"""What a chaos run breaks: brokers, ingests, edges, and the links between the last two."""

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

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "kafka"))

import kafka  # noqa: E402

from companion import Companion  # noqa: E402
from load import Load  # noqa: E402
import truth  # noqa: E402
from truth import TruthError  # noqa: E402

SECRET = "JWT_SECRET"
TOPIC = "chaos"
ORDERLY = 60  # seconds that an orderly stop may take
FRESH = 5  # seconds in which a process may not have handlers of signals yet
SPREAD = 3  # partitions of a channel of the second kind


class ChaosError(Exception):
    """The run could not be made; the message says why."""


def patiently(ask):
    """What `ask` returns once Kafka answers: a broker that gets no time on a busy machine is no leader for a while."""
    from confluent_kafka import KafkaException
    deadline = time.monotonic() + 300
    while True:
        try:
            return ask()
        except (KafkaException, TruthError, kafka.KafkaError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


class Node:
    """An ingest or an edge, at addresses that stay the same when it is started again."""

    def __init__(self, name, binary, config, ops, folder, env):
        self.name, self.ops, self.env = name, ops, env
        file = folder / f"{name}.yaml"
        file.write_text(json.dumps(config, indent=1), encoding="utf-8")  # JSON is YAML
        self.command, self.log = [str(binary), "--config", str(file)], folder / f"{name}.log"
        self.popen = None
        self.started = 0.0
        self.asked = None  # when it was asked to end
        self.slowest = 0.0  # seconds that it took, at most

    def ask_to_end(self):
        self.asked = time.monotonic()
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)

    def start_again(self):
        """After ask_to_end(). False: it has not ended yet."""
        if self.popen.poll() is None:
            if time.monotonic() - self.asked > ORDERLY:
                raise ChaosError(f"{self.name} has not ended {ORDERLY} s after SIGTERM; see {self.log}")
            return False
        self.slowest = max(self.slowest, time.monotonic() - self.asked)
        # One that has just begun may not have its handler yet.
        if self.popen.returncode != 0 and (self.popen.returncode != -signal.SIGTERM or self.asked > self.started + FRESH):
            raise ChaosError(f"{self.name} ended with {self.popen.returncode} after SIGTERM; see {self.log}")
        self.start()
        return True

    def start(self):
        self.started = time.monotonic()
        with open(self.log, "ab") as stream:
            self.popen = subprocess.Popen(self.command, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL,
                                          stdout=stream, stderr=stream, preexec_fn=kafka.die_with_parent)

    @property
    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def signal(self, number):
        if self.running:
            self.popen.send_signal(number)

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def terminate(self):
        """In order; how it ended, None if it had to be killed."""
        if not self.running:
            return self.popen.returncode if self.popen else 0
        self.popen.send_signal(signal.SIGCONT)
        self.popen.terminate()
        try:
            return self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ops}/ready", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self, seconds=300):
        deadline = time.monotonic() + seconds
        while not self.ready():
            if self.popen.poll() is not None:
                raise ChaosError(f"{self.name} ended with {self.popen.returncode}; see {self.log}")
            if time.monotonic() > deadline:
                raise ChaosError(f"{self.name} is not ready after {seconds} s; see {self.log}")
            time.sleep(0.05)


class World:
    """Everything, running; a context manager."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        folder.mkdir(parents=True, exist_ok=True)
        why = kafka.missing()
        if why:
            raise ChaosError(f"no Kafka: {why}")
        self.env = {SECRET: secrets.token_hex(32)}
        self.nodes, self.proxy, self.load, self.companion = [], None, None, None
        self.cluster = kafka.Cluster(folder / "kafka")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self):
        options = self.options
        self.cluster.stop(wipe=True)
        self.cluster.start(brokers=options.brokers, owned=True)
        self.partitions = options.partitions
        self.create_topic()
        links = options.edges * options.ingests
        ports = iter(kafka.free_ports(2 * options.ingests + 2 * options.edges + links))
        self.ingests = [self._ingest(f"ingest-{n}", next(ports), next(ports)) for n in range(options.ingests)]
        pairs, addresses = [], {}
        self.links = {}  # (edge, ingest) by name: port of the proxy
        for edge in range(options.edges):
            for ingest in self.ingests:
                port = next(ports)
                pairs.append(f"{port}={ingest.grpc}")
                self.links[f"edge-{edge}", ingest.name] = port
                addresses.setdefault(edge, []).append(f"127.0.0.1:{port}")
        self.proxy = subprocess.Popen([sys.executable, ROOT / "tools" / "chaos" / "proxy.py", *pairs], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=kafka.die_with_parent)
        if self.proxy.stdout.readline().strip() != "listening":
            raise ChaosError("the proxy between edges and ingests does not listen")
        self.edges = [self._edge(f"edge-{n}", next(ports), next(ports), addresses[n]) for n in range(options.edges)]
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()

    def _node(self, tier, name, config, ops):
        node = Node(name, self.options.build_dir / "services" / tier / f"spillway-{tier}", {tier: config}, ops, self.folder,
                    self.env)
        self.nodes.append(node)
        return node

    def _ingest(self, name, grpc, ops):
        node = self._node("ingest", name, {
            "node_id": name, "listen": f"127.0.0.1:{grpc}", "ops_listen": f"127.0.0.1:{ops}", "advertised_address": "",
            "log": {"level": "info"}, "kafka": {"brokers": self.cluster.bootstrap}, "shutdown_grace": "2s",
            # New partitions and topics are found soon.
            "catalogue_refresh": "1s", "history": self.options.history,
            "routes": [{"name": "chaos", "topics": [TOPIC],
                        "emit": [{"channels": ["{header.channel}"], "type": "chaos"}]}]}, ops)
        node.grpc = grpc
        return node

    def _edge(self, name, port, ops, addresses):
        node = self._node("edge", name, {
            "node_id": name, "listen": f"127.0.0.1:{port}", "ops_listen": f"127.0.0.1:{ops}", "threads": 2,
            # The reading of what was missed has to outlast a fault.
            "resume_timeout": "120s", "shutdown_grace": "2s",
            "ingests": {"addresses": addresses}, "admin": {"listen": ""}, "log": {"level": "info"},
            "limits": self.options.edge_limits, "channels": self.options.edge_channels,
            "default_access": "authenticated",
            "endpoints": [{"path": "/ws", "auth": {"secret": "${" + SECRET + "}"}}]}, ops)
        node.port = port
        return node

    def link(self, what, edge, ingest):
        """`cut`, `stall` or `mend`."""
        self.proxy.stdin.write(f"{what} {self.links[edge.name, ingest.name]}\n")
        self.proxy.stdin.flush()

    def create_topic(self):
        copies = min(3, self.options.brokers)
        self.cluster.create_topic(TOPIC, self.partitions, replicas=copies,
                                  config={"min.insync.replicas": str(max(1, copies - 1))})

    def add_partitions(self, count):
        """The second producer writes to them, to channels that have several."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import NewPartitions
        admin = self.cluster.admin()  # has to outlive the call
        futures = admin.create_partitions([NewPartitions(TOPIC, self.partitions + count)], operation_timeout=20)
        try:
            futures[TOPIC].result(60)
        except KafkaException as error:  # the brokers may be busy with what happened to them before
            print(f"           no partitions added: {error}", flush=True)
        count = len(admin.list_topics(TOPIC, timeout=60).topics[TOPIC].partitions) - self.partitions
        added = list(range(self.partitions, self.partitions + count))
        self.partitions += count
        for name in self.many:
            self.places[name] = self.places[name] + added

    # Channels of the first kind are in one partition each, those of the second in SPREAD.

    @property
    def spread(self):
        return min(SPREAD, self.options.partitions)

    @property
    def half(self):
        return self.options.channels // 2

    def channels(self):
        """Names by code, as journals have them."""
        return {stream << 24 | n: f"{kind}:{n}" for stream, kind in enumerate(("one", "many")) for n in range(self.half)}

    def places_of(self, n):
        """The partitions of the n-th channel of the second kind, in the order in which its numbers go to them."""
        return [(n + k) % self.options.partitions for k in range(self.spread)]

    def start_companion(self):
        self.many = [f"many:{n}" for n in range(self.half)]
        self.places = {f"one:{n}": [n % self.options.partitions] for n in range(self.half)}
        self.places.update({f"many:{n}": self.places_of(n) for n in range(self.half)})
        self.companion = Companion(self.cluster.bootstrap, TOPIC, self.places, self.options.seed)
        self.companion.start()

    def ends(self, patient=True):
        """Offsets behind the last record, by partition. Not `patient`: an error of Kafka's is one."""
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.cluster.bootstrap, "group.id": "checker"})
        try:
            def end(p):
                return consumer.get_watermark_offsets(TopicPartition(TOPIC, p), timeout=60)[1]

            return {p: patiently(lambda p=p: end(p)) if patient else end(p) for p in range(self.partitions)}
        finally:
            consumer.close()

    def truth(self):
        """All that Kafka has of the topic."""
        names = {name: code for code, name in self.channels().items()}
        return patiently(lambda: truth.read(self.cluster.bootstrap, TOPIC, names))

    def delete_records(self, upto):
        """As retention does: what stands before these offsets, by partition, is gone."""
        from confluent_kafka import TopicPartition
        admin = self.cluster.admin()
        for p, offset in upto.items():
            patiently(lambda place=TopicPartition(TOPIC, p, offset): admin.delete_records([place])[place].result(60))

    def start_load(self, seconds, publishes=True, flags=()):
        """The clients and the publisher, who write down what comes. `publishes`: else somebody else does."""
        options = self.options
        via = f"via=kafka,topic={TOPIC}" if publishes else "via=none"
        common = (f"channels={self.half},per_client={max(1, options.per_client // 2)},{via},partitions={options.partitions},"
                  f"header=channel,rate={options.rate / 2:g}")
        keys = 2 * self.spread
        streams = (f"name=one,channel=one:{{n}},{common},keys=4;"
                   f"name=many,channel=many:{{n}},{common},keys={keys},spread={self.spread}")
        urls = ",".join(f"ws://127.0.0.1:{edge.port}/ws?token={{token}}" for edge in self.edges)
        self.load = Load([
            options.build_dir / "tools" / "load" / "spillway-load", f"--url={urls}", f"--jwt_secret_env={SECRET}",
            f"--clients={options.clients}", f"--patterns={options.patterns}", "--resume", "--reconnect=0.5", "--connect_rate=500", f"--churn={options.churn}",
            f"--brokers={self.cluster.bootstrap}",
            # Only an idempotent producer keeps order and writes nothing twice when brokers end.
            "--kafka=enable.idempotence=true,linger.ms=5,message.timeout.ms=120000", "--warmup=0", f"--seconds={seconds:.0f}",
            f"--silence={options.silence}", "--progress=off", "--attended", f"--stream={streams}", *flags],
            self.folder / "journal", {**os.environ, **self.env}, self.folder / "load.log", kafka.die_with_parent)
        return self.load

    def stop(self):
        if self.load:
            self.load.kill()
        for node in self.nodes:
            if node.running:
                node.signal(signal.SIGCONT)
                node.popen.terminate()
        for node in self.nodes:
            node.terminate()
        if self.proxy:
            self.proxy.stdin.close()
            self.proxy.wait(10)
        self.cluster.stop(wipe=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
