"""Records of all kinds, from the producer to a client; topics that are missing or not allowed."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import kafka as kafka_tool
import pytest
import stack as stack_tool
from client import let_in
from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin import ResourcePatternType, ResourceType
from processes import wait_until
from stack import token

MIB = 1 << 20
BACKLOG_PEAK = 130  # MiB that an ingest may take, with 8 MiB of history a partition: less than the backlog has


# Makes a cluster with SASL take PLAIN, besides SCRAM. Debian 12's librdkafka (2.0.2) cannot log in by SCRAM to Kafka 4,
# which is strict about nonces (https://github.com/confluentinc/librdkafka/pull/4895, in 2.6.1).
SASL_PLAIN = {
    "listener.name.client.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
    "listener.name.client.plain.sasl.jaas.config":
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'user_{kafka_tool.SCRAM_USER}="{kafka_tool.SCRAM_PASSWORD}";'}


def config(cluster, topics, properties=None, **ingest):
    """Every topic's JSON records go to one channel. properties: librdkafka's, besides the cluster's own."""
    properties = cluster.client_config(**(properties or {}))
    brokers = properties.pop("bootstrap.servers")
    return {
        "ingest": {
            "kafka": {"brokers": brokers, "properties": properties},
            "routes": [{"name": "all", "topics": topics, "emit": [
                {"channels": ["all"], "type": "{topic}", "event_time": {"source": "/time"}}]}],
            **ingest},
        "edge": {
            "endpoints": [{"path": "/ws", "auth": {"secret": "${JWT_SECRET}"}, "subscribe": ["all"]}],
            "limits": {"outbox_bytes": 512 * MIB, "outbox_messages": 100_000},
        }}


class System:
    """One ingest and one edge that deliver some topics to one client."""

    def __init__(self, stack, cluster, topics, ready=True, **ingest):
        self.stack = stack
        content = config(cluster, topics, **ingest)
        self.ingest_config = {"ingest": content["ingest"]}
        self.ingest = stack.ingest(config=self.ingest_config)
        self.edge = stack.edge([self.ingest], config={"edge": content["edge"]})
        if ready:
            self.edge.wait_ready()
        self.producer = stack_tool.Producer(cluster, **{"message.max.bytes": 8 * MIB})
        self.client = let_in(self.edge.public, token=token())
        self.sent = {}  # numbers by topic

    def events(self):
        return self.client.of("event")

    def wait_event(self, mark, timeout=10):
        """Waits for the event whose data has this mark."""
        return self.client.wait_for(
            lambda c: next((m for m in c.messages if m["type"] == "event"
                            and isinstance(m["data"], dict) and m["data"].get("mark") == mark), None),
            timeout, f"event {mark}")

    def settle(self, topic):
        """Returns once live events of the topic come."""
        for number in range(40):
            self.producer.put(topic, {"mark": f"settle-{topic}"})
            try:
                return self.wait_event(f"settle-{topic}", timeout=0.5)
            except AssertionError:
                assert self.client.open
        raise AssertionError(f"no event of {topic}")

    def close(self):
        self.client.close()
        self.stack.finish()


@pytest.fixture
def start(binaries, tmp_path, request):
    """A function that starts a System; all are stopped after the test."""
    systems = []

    def start_it(cluster, topics, **options):
        stack = stack_tool.Stack(binaries, tmp_path, request.node.name)
        request.node.spillway_processes = stack.processes
        systems.append(System(stack, cluster, topics, **options))
        return systems[-1]
    yield start_it
    for system in systems:
        system.close()


@pytest.mark.skipif(not shutil.which("kcat"), reason="kcat is not installed (Debian: kcat)")
def test_a_record_of_kcat_reaches_a_client(kafka, make_topic, start):
    topic = make_topic()
    system = start(kafka, [topic])
    system.settle(topic)
    subprocess.run(["kcat", "-P", "-b", kafka.bootstrap, "-t", topic, "-k", "BTC"], check=True, timeout=20,
                   input=b'{"mark":"kcat","price":1.50,"time":1770000000123}\n')
    event = system.wait_event("kcat")
    assert event["channel"] == "all" and event["event"] == topic and event["key"] == "BTC"
    assert event["time"] == 1770000000123
    assert event["data"] == {"mark": "kcat", "price": 1.50, "time": 1770000000123}


def test_bad_records_are_counted_and_skipped(kafka, make_topic, start):
    topic = make_topic()
    system = start(kafka, [topic])
    system.settle(topic)
    before = system.ingest.metrics().sum("spillway_ingest_rejected_records_total")
    bad = [b"{", b"\xff\xfe", b"", b'{"a":1,"a":2}']
    for value in bad:
        system.producer.send(topic, value)
    system.producer.put(topic, {"mark": "after"})
    system.wait_event("after")
    after = system.ingest.metrics().sum("spillway_ingest_rejected_records_total")
    assert after - before == len(bad)
    log = system.ingest.process.log_text()
    assert topic in log and "undecodable_json" in log


@pytest.mark.parametrize("interval, lines", [("0s", 5), ("60m", 1)])
def test_what_repeats_is_logged_once_an_interval(kafka, make_topic, start, interval, lines):
    topic = make_topic()
    system = start(kafka, [topic], log={"repeat_interval": interval})
    system.settle(topic)
    for _ in range(5):
        system.producer.send(topic, b"{")
    system.producer.put(topic, {"mark": "after"})
    system.wait_event("after")
    assert system.ingest.process.log_text().count("a record was rejected") == lines


def test_large_records(kafka, make_topic, start):
    topic = make_topic(config={"max.message.bytes": str(8 * MIB)})
    limit = 11 * MIB // 2
    system = start(kafka, [topic], limits={"max_event_bytes": limit})
    system.settle(topic)

    def value(mark, size):
        return json.dumps({"mark": mark, "filler": os.urandom(size // 2).hex()}).encode()
    five = value("five", 5 * MIB)
    before = system.ingest.metrics().sum("spillway_ingest_rejected_records_total")
    system.producer.put(topic, five)
    assert system.wait_event("five", timeout=20)["data"] == json.loads(five)
    system.producer.put(topic, value("six", 6 * MIB))
    system.producer.put(topic, {"mark": "after"})
    system.wait_event("after")
    assert not any(m["data"].get("mark") == "six" for m in system.events())
    assert system.ingest.metrics().sum("spillway_ingest_rejected_records_total") == before + 1
    assert "oversized" in system.ingest.process.log_text()
    assert system.client.open


def test_an_edge_that_stands_still_behind_100_mb(kafka, make_topic, start):
    """An edge that stood still for a while: the link lives or is made again, and nothing is lost in silence."""
    topic = make_topic(partitions=2)
    system = start(kafka, [topic])
    system.settle(topic)
    filler = "x" * 100_000
    system.edge.process.pause()
    for number in range(1000):
        system.producer.send(topic, {"number": number, "filler": filler}, partition=number % 2)
    system.producer.flush()
    wait_until(lambda: system.ingest.metrics().sum("spillway_ingest_records_total") >= 1000, 20,
               "the backlog in ingest")
    system.edge.process.resume()
    system.producer.put(topic, {"mark": "after-0"}, partition=0)
    system.producer.put(topic, {"mark": "after-1"}, partition=1)
    for mark in ("after-0", "after-1"):
        system.wait_event(mark, timeout=30)
    numbers = [m["data"]["number"] for m in system.events() if "number" in m["data"]]
    for partition in (0, 1):
        of_one = [number for number in numbers if number % 2 == partition]
        assert of_one == sorted(set(of_one))
    gaps = system.client.of("gap")
    print(f"{len(numbers)} of 1000 came, {len(gaps)} gaps")
    assert len(numbers) == 1000 or gaps
    assert system.client.open


def test_scram_over_tls(kafka_cluster, start):
    cluster = kafka_cluster(sasl=True, version=kafka_tool.LENIENT_VERSION)
    assert cluster.client_config()["sasl.mechanism"] == "SCRAM-SHA-512"
    stack_tool.make_topics(cluster, {"secured": 1})
    system = start(cluster, ["secured"])
    assert system.settle("secured")["data"] == {"mark": "settle-secured"}
    for node in (system.ingest, system.edge):
        assert kafka_tool.SCRAM_PASSWORD not in node.process.log_text()


def test_a_wrong_password_is_told(kafka_cluster, start):
    cluster = kafka_cluster(sasl=True, settings=SASL_PLAIN)
    system = start(cluster, ["any"], ready=False,
                   properties={"sasl.mechanism": "PLAIN", "sasl.password": "mistyped"})
    system.ingest.process.wait_for_log("(?i)authentication")
    for node in (system.ingest, system.edge):
        wait_until(lambda node=node: "uthenticat" in str(node.ready()[1].get("details")), 10,
                   f"{node.process.name}'s /ready with the reason")
        status, document = node.ready()
        assert (status, document["kafka"]) == (503, "disconnected")
        assert "mistyped" not in node.process.log_text()


def test_missing_and_denied_topics_are_named_while_others_flow(kafka_cluster, start):
    cluster = kafka_cluster(sasl=True, settings=SASL_PLAIN)
    stack_tool.make_topics(cluster, {"topic-flowing": 1, "topic-denied": 1})
    admin = cluster.admin()
    denials = [AclBinding(ResourceType.TOPIC, "topic-denied", ResourcePatternType.LITERAL,
                          f"User:{kafka_tool.SCRAM_USER}", "*", operation, AclPermissionType.DENY)
               for operation in (AclOperation.READ, AclOperation.DESCRIBE)]
    for future in admin.create_acls(denials).values():
        future.result(10)

    system = start(cluster, ["topic-flowing", "topic-denied", "topic-missing"], ready=False,
                   properties={"sasl.mechanism": "PLAIN"})
    wait_until(lambda: "topic-flowing" in str(system.ingest.ready()) or system.ingest.ready()[0] == 200, 20,
               "an answer from Kafka")
    system.settle("topic-flowing")
    for node in (system.ingest, system.edge):
        wait_until(lambda node=node: "topic-denied" in str(node.ready()[1]) and "topic-missing" in str(node.ready()[1]),
                   10, f"{node.process.name}'s /ready naming the topics")
        print(node.process.name, node.ready())
    log = system.ingest.process.log_text()
    assert "topic-denied" in log and "topic-missing" in log
    assert kafka_tool.SCRAM_PASSWORD not in log

    # Both are tried again.
    stack_tool.make_topics(cluster, {"topic-missing": 1})
    system.settle("topic-missing")
    filters = [filter_of(denial) for denial in denials]
    for future in admin.delete_acls(filters).values():
        future.result(10)
    system.settle("topic-denied")
    for node in (system.ingest, system.edge):
        wait_until(lambda node=node: node.ready()[0] == 200 and "topic-" not in str(node.ready()[1]), 10,
                   f"{node.process.name}'s /ready without them")


def numbers(system, topic):
    return [message["data"]["number"] for message in system.events()
            if message["event"] == topic and "number" in message["data"]]


def send_numbers(system, topic, count, partition=-1, **more):
    """Events numbered from where the last call for the topic stopped, in one partition or keyed by nothing."""
    first = system.sent.get(topic, 0)
    for number in range(first, first + count):
        system.producer.send(topic, {"number": number, **more}, partition=partition)
    system.sent[topic] = first + count
    system.producer.flush()


def wait_numbers(system, topic, timeout=30):
    """Waits for the last; then each came once, in order."""
    last = system.sent[topic] - 1
    system.client.wait_for(
        lambda c: any(m["type"] == "event" and m["event"] == topic and m["data"].get("number") == last
                      for m in c.messages[-200:]), timeout, f"number {last} of {topic}")
    assert numbers(system, topic) == list(range(last + 1))
    assert system.client.of("gap") == []


def stalled(node):
    """{(topic, partition): reason} of what an ingest's /ready names."""
    return {(one["topic"], one["partition"]): one["reason"]
            for one in node.ready()[1].get("stalled_readers", [])}


def test_a_topic_that_may_be_described_and_not_read(kafka_cluster, start):
    """Its readers are named at once, with the reason and a true lag; with the right, all flows that came meanwhile."""
    cluster = kafka_cluster(sasl=True, settings=SASL_PLAIN)
    stack_tool.make_topics(cluster, {"guarded": 1, "free": 1})
    admin = cluster.admin()
    user = f"User:{kafka_tool.SCRAM_USER}"
    allowed, denied = (AclBinding(ResourceType.TOPIC, "guarded", ResourcePatternType.LITERAL, user, "*", *what)
                       for what in ((AclOperation.ALL, AclPermissionType.ALLOW),
                                    (AclOperation.READ, AclPermissionType.DENY)))
    for future in admin.create_acls([allowed, denied]).values():
        future.result(10)

    system = start(cluster, ["guarded", "free"], properties={"sasl.mechanism": "PLAIN"})
    wait_until(lambda: stalled(system.ingest) == {("guarded", 0): "topic_denied"}, 10,
               f"/ready naming the reader: {system.ingest.ready()}")
    def told():
        status, document = system.ingest.ready()
        return (status, document.get("status"), document.get("readers")) == (200, "degraded", "1 stalled")
    wait_until(told, 10, "/ready as a whole")
    document = system.ingest.ready()[1]
    since = document["stalled_readers"][0]["since"]
    assert since <= document["timestamp"]
    system.settle("free")
    send_numbers(system, "guarded", 50)
    wait_until(lambda: system.ingest.metrics().sum("spillway_ingest_consumer_lag", topic="guarded") == 50, 10,
               "the lag of what cannot be read")
    with system.edge.rpc() as client:
        def lag():
            attached = client.call("spillway.v1.AdminService/GetStats")["attachments"]
            return next(int(one.get("lag", 0)) for one in attached if one["topic"] == "guarded") == 50
        wait_until(lag, 10, "the lag by the admin API")
    wait_until(lambda: "guarded/0: stalled" in str(system.edge.ready()[1].get("details"))
               and "topic_denied" in str(system.edge.ready()[1]), 20, "the edge's /ready with the reason")
    assert stalled(system.ingest) == {("guarded", 0): "topic_denied"}
    assert system.ingest.ready()[1]["stalled_readers"][0]["since"][:19] == since[:19]
    assert numbers(system, "guarded") == []

    for future in admin.delete_acls([filter_of(denied)]).values():
        future.result(10)
    send_numbers(system, "guarded", 10)
    wait_numbers(system, "guarded")
    wait_until(lambda: system.ingest.ready()[1]["status"] == "ready", 10, "/ready without it")
    wait_until(lambda: system.ingest.metrics().sum("spillway_ingest_consumer_lag", topic="guarded") == 0, 10, "no lag")

    # The right to read a quiet partition comes and goes: nothing arrives that would tell.
    for future in admin.create_acls([denied]).values():
        future.result(10)
    wait_until(lambda: stalled(system.ingest) == {("guarded", 0): "topic_denied"}, 10, "/ready naming it again")
    for future in admin.delete_acls([filter_of(denied)]).values():
        future.result(10)
    wait_until(lambda: stalled(system.ingest) == {}, 15, "/ready without it, though nothing came")
    send_numbers(system, "guarded", 10)
    wait_numbers(system, "guarded")


def test_a_leader_that_does_not_answer_is_told_while_others_flow(kafka_cluster, start):
    cluster = kafka_cluster(brokers=2)
    cluster.create_topic("split", 2, replicas=1)
    partitions = cluster.admin().list_topics("split", timeout=10).topics["split"].partitions
    system = start(cluster, ["split"])
    system.settle("split")
    send_numbers(system, "split", 10, partition=0)
    wait_numbers(system, "split")
    assert stalled(system.ingest) == {}
    cluster.pause(partitions[1].leader)
    begun = time.monotonic()
    wait_until(lambda: stalled(system.ingest) == {("split", 1): "leader_unreachable"}, 30,
               f"/ready naming the reader: {system.ingest.ready()}")
    print(f"named after {time.monotonic() - begun:.1f} s")
    send_numbers(system, "split", 10, partition=0)
    wait_numbers(system, "split")
    cluster.resume(partitions[1].leader)
    wait_until(lambda: stalled(system.ingest) == {}, 30, "/ready without it")
    send_numbers(system, "split", 10, partition=1)
    wait_numbers(system, "split")


def memory_peak(node):
    """MiB of a process at most, so far."""
    status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s*(\d+) kB", status).group(1)) / 1024


def test_a_backlog_of_200_mb_behind_a_link(kafka, make_topic, start):
    """What gathered in Kafka while no ingest ran passes over one link, whole, in order, in bounded memory."""
    topic = make_topic()
    system = start(kafka, [topic], history={"bytes_per_partition": "8MiB"})
    system.settle(topic)
    send_numbers(system, topic, 10)
    wait_numbers(system, topic)
    port = int(system.ingest.grpc.rpartition(":")[2])
    assert system.ingest.process.stop() == 0
    send_numbers(system, topic, 20_000, pad="x" * 10_000)
    system.ingest = system.stack.ingest(config=system.ingest_config, name="ingest-again", port=port)
    before = memory_peak(system.ingest)
    wait_numbers(system, topic, timeout=90)
    send_numbers(system, topic, 10)
    wait_numbers(system, topic)
    peak = memory_peak(system.ingest)
    print(f"ingest: {before:.0f} MiB at the start, {peak:.0f} MiB at most; edge: {memory_peak(system.edge):.0f} MiB")
    metrics = system.ingest.metrics()
    assert metrics.sum("spillway_ingest_links_opened_total") == 1
    assert metrics.sum("spillway_ingest_links_cut_total") == 0
    assert peak < BACKLOG_PEAK
    assert system.ingest.ready()[1]["stalled_readers"] == []


def filter_of(binding):
    return AclBindingFilter(binding.restype, binding.name, binding.resource_pattern_type,
                            binding.principal, binding.host, binding.operation, binding.permission_type)


def test_records_that_were_there_before_are_not_repeated(kafka, make_topic, start):
    """An edge without interest in history begins at the end of a topic."""
    topic = make_topic()
    stack_tool.Producer(kafka).put(topic, {"mark": "old"})
    system = start(kafka, [topic])
    system.settle(topic)
    time.sleep(0.2)
    assert not any(m["data"].get("mark") == "old" for m in system.events())
