"""Records of all kinds, from the producer to a client; topics that are missing or not allowed."""

import json
import os
import shutil
import subprocess
import time

import kafka as kafka_tool
import pytest
import stack as stack_tool
from client import Client
from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin import ResourcePatternType, ResourceType
from processes import wait_until
from stack import token

MIB = 1 << 20


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
            "limits": {"outbox_bytes": 256 * MIB},
        }}


class System:
    """One ingest and one edge that deliver some topics to one client."""

    def __init__(self, stack, cluster, topics, ready=True, **ingest):
        self.stack = stack
        content = config(cluster, topics, **ingest)
        self.ingest = stack.ingest(config={"ingest": content["ingest"]})
        self.edge = stack.edge([self.ingest], config={"edge": content["edge"]})
        if ready:
            self.edge.wait_ready()
        self.producer = stack_tool.Producer(cluster, **{"message.max.bytes": 8 * MIB})
        self.client = Client(self.edge.public, token=token())

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


def test_a_backlog_of_100_mb_behind_a_link(kafka, make_topic, start):
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
