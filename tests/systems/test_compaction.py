"""A topic whose older records Kafka removes once newer ones of their key are there: what a client misses for that is told."""

import itertools
import time

import pytest
import stack as stack_tool
from processes import wait_until
from test_resume import CHANNEL, Wanderer

TOPIC = "states"
KEYS = 5


class Reader(Wanderer):
    """Keeps what accounts for offsets, in its order: (from, to) and whether these were events."""

    def __init__(self):
        super().__init__()
        self.stream = []

    def _take(self, message):
        super()._take(message)
        if message["type"] == "event":
            self.stream.append((message["offset"], message["offset"], "event"))
        if message["type"] == "gap":
            self.stream.append((message["from"], message["to"], message["reason"]))


class World:
    def __init__(self, kafka, stack):
        self.kafka, self.stack, self.sent = kafka, stack, 0
        self.producer = stack_tool.Producer(kafka)

    def start_ingest(self):
        route = {"name": "all", "topics": [TOPIC], "emit": [{"channels": [CHANNEL], "type": "n", "key": "{key}"}]}
        self.ingest = self.stack.ingest(port=self.port, config={"ingest": {
            "kafka": {"brokers": self.kafka.bootstrap}, "routes": [route]}})
        return self.ingest

    def publish(self, count):
        for _ in range(count):
            self.producer.send(TOPIC, {"n": self.sent}, key=f"k{self.sent % KEYS}")
            self.sent += 1
        self.producer.flush()

    def offsets(self):
        """What Kafka holds."""
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "truth", "enable.auto.commit": False,
                             "enable.partition.eof": True})
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        offsets = []
        while (message := consumer.poll(30)) is not None and message.error() is None:
            offsets.append(message.offset())
        consumer.close()
        return offsets

    def wait_compacted(self, before):
        """Until next to nothing is left before that offset. What is written last is never removed."""
        def few():
            self.publish(1)  # a segment ends with what is written after its time
            return sum(offset < before for offset in self.offsets()) <= KEYS
        wait_until(few, 60, "compaction")


@pytest.fixture
def world(kafka_cluster, free_port, binaries, tmp_path, request):
    kafka = kafka_cluster(settings={"log.cleaner.backoff.ms": 100, "log.segment.delete.delay.ms": 100})
    kafka.create_topic(TOPIC, config={"cleanup.policy": "compact", "segment.ms": 200, "min.cleanable.dirty.ratio": 0.001})
    stack = stack_tool.Stack(binaries, tmp_path, request.node.name)
    request.node.spillway_processes = stack.processes
    world = World(kafka, stack)
    world.port = free_port()
    world.start_ingest()
    world.edge = stack.edge([world.ingest], config={"edge": {
        "endpoints": [{"path": "/ws", "auth": {"secret": "${JWT_SECRET}"}}], "default_access": "authenticated"}})
    world.edge.wait_ready()
    yield world
    stack.finish()


def check(world, client, began):
    """Every offset after `began` came, or is in a gap, in order and once; and what Kafka holds came."""
    at = began
    for first, last, what in client.stream:
        assert first == at + 1, (at, first, what)
        assert what in ("event", "compacted")
        at = last
    came = {first for first, _, what in client.stream if what == "event"}
    assert came >= {offset for offset in world.offsets() if began < offset <= at}
    assert at == world.sent - 1
    numbers = [event["data"]["n"] for event in client.events]
    assert sorted(numbers)[-KEYS:] == list(range(world.sent - KEYS, world.sent))  # the last of each key


def test_what_compaction_took_from_a_client_that_was_away_is_told(world):
    world.publish(1)
    client = Reader()
    client.visit(world.edge, lambda c: c.position.entries or world.publish(1))
    seen = 40

    def some(c):
        world.publish(max(0, seen - len(c.events)) and 1)
        return len(c.events) >= seen
    client.visit(world.edge, some)
    began = client.stream[0][0] - 1
    world.publish(300)
    world.wait_compacted(world.sent - 20)
    world.ingest.process.kill()  # its log held all of it
    world.start_ingest()
    world.edge.wait_ready()
    world.publish(1)
    client.visit(world.edge, lambda c: c.stream[-1][1] == world.sent - 1)
    check(world, client, began)
    assert client.gaps
    assert world.ingest.metrics().sum("spillway_ingest_rereads_total") > 0


def test_what_compaction_took_while_no_ingest_ran_is_told_to_live_clients(world):
    world.publish(1)
    client, stage = Reader(), itertools.count()

    def through(c):
        if not c.position.entries:
            return False
        if not c.stream:
            world.publish(10)
            time.sleep(0.1)
            return False
        if next(stage) == 0:
            world.ingest.process.kill()
            world.publish(300)
            world.wait_compacted(world.sent - 20)
            world.start_ingest()
        return c.gaps and c.stream[-1][1] == world.sent - 1
    client.visit(world.edge, through)
    check(world, client, client.stream[0][0] - 1)
