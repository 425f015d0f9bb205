"""A client that comes back where it was, on any edge: it gets what it missed, or is told what it does not get."""

import random
import threading
import time

import pytest
import stack as stack_tool
from client import Client
from processes import wait_until
from stack import token

PARTITIONS = 3
CHANNEL = "all"
PATTERN = "part.*"  # of channels that each partition has one of


def partition_of(entry):
    return entry["source"].rpartition("@")[0]


class Position:
    """Where a client is in one channel, kept as docs/protocol-json.md says."""

    def __init__(self, channel=CHANNEL):
        self._channel = channel
        self.entries = {}  # by partition: a source without its incarnation
        self._sources = {}  # of this connection, by slot

    def connected(self):
        self._sources = {}

    def take(self, message):
        anew = message["type"] in ("subscribed", "joined")
        if message["type"] == "subscribed":
            shown, self.entries = self.entries, {}
        for entry in message.get("position", []):
            self._sources[entry["slot"]] = entry["source"]
            if entry.get("pending") and partition_of(entry) in shown:
                self.entries[partition_of(entry)] = shown[partition_of(entry)]
            else:
                self._advance({name: value for name, value in entry.items() if name != "slot"}, anew)
        if message["type"] == "event":
            self._advance({"source": self._sources[message["slot"]], "offset": message["offset"]})
        if message["type"] == "gap":
            self._advance({"source": message["source"], "offset": message["to"]})

    def _advance(self, entry, anew=False):
        old = {} if anew else self.entries.get(partition_of(entry), {})
        if entry.get("offset", -2) <= old.get("offset", -3):
            return
        if "fp" in entry:
            entry = {"fp_offset": entry["offset"], **entry}
        elif "fp" in old and "offset" in entry:
            entry = {**entry, "fp": old["fp"], "fp_offset": old["fp_offset"]}
        self.entries[partition_of(entry)] = entry

    def claims(self):
        return {self._channel: list(self.entries.values())}


class Wanderer:
    """One client on connections one after the other; what all of them brought."""

    def __init__(self, channel=CHANNEL):
        self.channel = channel
        self.position = None
        self.events, self.gaps, self.snapshots, self.moving = [], [], [], []

    def visit(self, edge, until, snapshot=False):
        """Connects and goes on, until the condition holds of this client; then drops the connection."""
        client = Client(edge.public, token=token())
        command = {"type": "subscribe", "id": 1, "channels": [self.channel], "snapshot": snapshot}
        if self.position is None:
            self.position = Position(self.channel)
        else:
            command["positions"] = self.position.claims()
        self.position.connected()
        client.send(command)
        done = 0
        deadline = time.monotonic() + 120  # what it waits for may restart nodes
        while not until(self):
            assert time.monotonic() < deadline, (len(self.events), self.gaps, client.messages[-3:])
            messages = list(client.messages)
            for message in messages[done:]:
                self._take(message)
            if len(messages) == done:
                time.sleep(0.005)
            done = len(messages)
        client.close()

    def _take(self, message):
        assert message["type"] != "error", message
        self.position.take(message)
        for kind, kept in (("event", self.events), ("gap", self.gaps), ("snapshot", self.snapshots),
                           ("moving", self.moving)):
            if message["type"] == kind:
                kept.append(message)

    def numbers(self, partition):
        return [event["data"]["n"] for event in self.events if event["data"]["p"] == partition]


class Feed:
    """Numbered records to every partition, until stop()."""

    def __init__(self, producer, topic, rate=200):
        self.sent = 0
        self._producer, self._topic, self._rate = producer, topic, rate
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stopping.wait(1 / self._rate):
            self.send()

    def send(self):
        for partition in range(PARTITIONS):
            self._producer.send(self._topic, {"n": self.sent, "p": partition, "pad": "x" * 200}, partition=partition)
        self.sent += 1

    def stop(self):
        self._stopping.set()
        self._thread.join()
        self._producer.flush()


@pytest.fixture
def start(kafka, make_topic, binaries, tmp_path, request):
    stacks = []

    def begin(edges=2, port=0, **history):
        topic = make_topic(partitions=PARTITIONS)
        stack = stack_tool.Stack(binaries, tmp_path, request.node.name)
        request.node.spillway_processes = stack.processes
        stacks.append(stack)
        route = {"name": "all", "topics": [topic], "emit": [
            {"channels": [CHANNEL, "part.{/p}"], "type": "n", "key": "{/p}", "snapshot": {"mode": "by_key"}}]}
        stack.start_ingest = lambda: stack.ingest(port=port, config={"ingest": {
            "kafka": {"brokers": kafka.bootstrap}, "routes": [route], "history": history}})
        stack.nodes = [stack.start_ingest()]
        stack.edge_config = {"edge": {
            "endpoints": [{"path": "/ws", "auth": {"secret": "${JWT_SECRET}"}}], "channels": [{"pattern": "**", "patterns": True}]}}
        stack.edges = [stack.edge(stack.nodes, name=f"edge{n}", config=stack.edge_config) for n in range(edges)]
        for edge in stack.edges:
            edge.wait_ready()
        stack.topic, stack.producer = topic, stack_tool.Producer(kafka)
        return stack

    yield begin
    for stack in stacks:
        stack.finish()


def all_came(client, feed):
    return lambda _: all(client.numbers(p)[-1:] == [feed.sent - 1] for p in range(PARTITIONS))


def check(client, feed):
    assert client.gaps == []
    if client.channel == PATTERN:
        assert all(event["channel"] == f"part.{event['data']['p']}" and event["pattern"] == PATTERN
                   for event in client.events)
    for partition in range(PARTITIONS):
        numbers = client.numbers(partition)
        assert numbers == list(range(numbers[0], feed.sent)), partition


@pytest.mark.parametrize("history", [{}, {"bytes_per_partition": "64KiB"}], ids=["log", "kafka"])
@pytest.mark.parametrize("channel", [CHANNEL, PATTERN], ids=["channel", "pattern"])
def test_nothing_is_lost_on_the_way_from_edge_to_edge(start, history, channel):
    """With a small log, what a client missed has to be read from Kafka again by an edge that it comes to first."""
    stack = start(edges=3, **history)
    choose = random.Random(1)
    feed = Feed(stack.producer, stack.topic)
    client = Wanderer(channel)
    client.visit(stack.edges[0], lambda c: len(c.events) >= 300)
    for _ in range(6):
        time.sleep(choose.uniform(0.1, 1.5))
        seen = len(client.events)
        client.visit(choose.choice(stack.edges[:2]), lambda c, seen=seen: len(c.events) > seen + choose.randrange(600))
    feed.stop()
    for _ in range(1000):
        feed.send()
    stack.producer.flush()
    client.visit(stack.edges[2], all_came(client, feed))
    check(client, feed)
    if history:
        assert stack.nodes[0].metrics().sum("spillway_ingest_rereads_total") > 0


@pytest.mark.parametrize("channel", [CHANNEL, PATTERN], ids=["channel", "pattern"])
def test_an_edge_that_is_killed_costs_its_clients_nothing(start, channel):
    stack = start()
    feed = Feed(stack.producer, stack.topic)
    client = Wanderer(channel)

    def killed(c):
        if len(c.events) < 500:
            return False
        if stack.edges[0].process.running:
            stack.edges[0].process.kill()
        return True

    client.visit(stack.edges[0], killed)
    time.sleep(1)
    feed.stop()
    client.visit(stack.edges[1], all_came(client, feed))
    check(client, feed)


def test_what_cannot_be_had_is_told_and_a_snapshot_follows(start):
    stack = start(edges=1, bytes_per_partition="64KiB", reread_records=0)
    feed = Feed(stack.producer, stack.topic)
    client = Wanderer()
    client.visit(stack.edges[0], lambda c: len(c.events) >= 300)
    feed.stop()
    for _ in range(2000):
        feed.send()
    stack.producer.flush()
    last = feed.sent - 1
    with stack.edges[0].rpc() as admin:  # what Kafka has only just taken may not have been read yet
        wait_until(lambda: [int(one["upto"]) for one in admin.call("spillway.v1.AdminService/GetStats")["attachments"]]
                   == [last] * PARTITIONS, 20, "all of it taken in")
    client.visit(stack.edges[0], lambda c: any(s["last"] for s in c.snapshots), snapshot=True)
    assert {gap["reason"] for gap in client.gaps} == {"limit"}
    assert len(client.gaps) == PARTITIONS
    for gap in client.gaps:
        before = [e for e in client.events if e["slot"] == gap["slot"] and e["offset"] >= gap["from"]]
        assert before == []
        assert gap["to"] == last  # numbers are offsets here: everything up to the snapshot
    keys = {event["key"]: event["data"]["n"] for piece in client.snapshots for event in piece["events"]}
    assert keys == {str(p): last for p in range(PARTITIONS)}
    assert client.snapshots[-1]["complete"]
    feed.send()
    stack.producer.flush()
    client.visit(stack.edges[0], all_came(client, feed))
    assert [client.numbers(p)[-1] for p in range(PARTITIONS)] == [last + 1] * PARTITIONS


def test_a_malformed_position_is_refused_by_name(start):
    stack = start(edges=1)
    client = Client(stack.edges[0].public, token=token())
    client.send({"type": "subscribe", "id": 7, "channels": [CHANNEL], "positions": {CHANNEL: [{"source": "x/0@0"}]}})
    error = client.wait_type("error")[0]
    assert (error["id"], error["code"]) == (7, "bad_position")
    client.send({"type": "subscribe", "id": 8, "channels": [CHANNEL], "positions": {
        CHANNEL: [{"source": "nothing/0@0", "offset": 5}]}})  # of a topic that feeds it no more: nothing is missed there
    assert client.wait_type("subscribed")[0]["id"] == 8
    client.close()


def test_operators_see_where_a_client_is_and_what_it_acknowledged(start):
    stack = start(edges=1)
    edge = stack.edges[0]
    client = Client(edge.public, token=token())
    client.send({"type": "subscribe", "channels": [CHANNEL]})
    client.wait_for(lambda _: client.of("subscribed"), timeout=10, what="the subscription")
    feed = Feed(stack.producer, stack.topic)

    def events():
        return client.of("event")
    client.wait_for(lambda _: len(events()) >= 30, timeout=20, what="events")
    first = events()[0]
    client.send({"type": "ack", "positions": {CHANNEL: [{"slot": first["slot"], "offset": first["offset"]}]}})
    count = len(events())
    client.wait_for(lambda _: len(events()) >= count + 30, timeout=20, what="more events")
    feed.stop()
    with edge.rpc() as admin:
        def lag():
            return admin.call("spillway.v1.AdminService/TopLaggards", {"limit": 5}).get("connections", [])
        wait_until(lambda: lag() and int(lag()[0]["unacknowledged_messages"]) >= 20, 5, "a lag")
        one = lag()[0]
        assert one["acknowledges"] and int(one["unacknowledged_ms"]) > 0

        # What was last sent of every partition: then nothing is owed.
        client.wait_for(lambda _: sum(event["data"]["n"] == feed.sent - 1 for event in events()) == PARTITIONS, timeout=20,
                        what="the end")
        last = {event["slot"]: event["offset"] for event in events()}
        client.send({"type": "ack", "positions": {CHANNEL: [{"slot": slot, "offset": offset} for slot, offset in last.items()]}})
        wait_until(lambda: not lag(), 5, "no lag")
        shown = admin.call("spillway.v1.AdminService/GetConnection", {"connection_id": one["id"]})["positions"]
    assert sorted(int(position["delivered"]) for position in shown) == sorted(last.values())
    assert all(position["acknowledged"] == position["delivered"] and position["channel"] == CHANNEL for position in shown)
    client.close()


def wait_verdicts(edge, **expected):
    """Until the edge has counted so many; those that are not named are none."""
    deadline = time.monotonic() + 5
    expected = {"proven": 0, "foreign": 0, "unproven": 0, "unjudged": 0, **expected}
    counted = None
    while counted != expected:
        assert time.monotonic() < deadline, counted
        time.sleep(0.05)
        metrics = edge.metrics()
        counted = {verdict: metrics.sum("spillway_edge_positions_total", verdict=verdict) for verdict in expected}


@pytest.mark.parametrize("history", [{}, {"bytes_per_partition": "64KiB"}], ids=["log", "kafka"])
def test_positions_are_proven(start, history):
    """On an edge that never told them. Another fingerprint is foreign, and so is a place that Kafka has not reached."""
    stack = start(**history)
    feed = Feed(stack.producer, stack.topic, rate=500)
    while feed.sent < 1000:
        time.sleep(0.05)
    # Of a partition that the edge has read nothing of when it answers, it knows no record, and who goes on from there shows none.
    for _ in range(50):
        client = Wanderer()
        client.visit(stack.edges[0], lambda c: len(c.events) >= 100)
        if all("fp" in entry for entry in client.position.entries.values()):
            break
    missed = feed.sent + 3000
    while feed.sent < missed:
        time.sleep(0.05)
    feed.stop()
    assert len(client.position.entries) == PARTITIONS
    assert all("fp" in entry for entry in client.position.entries.values())
    table = {source: dict(entry) for source, entry in client.position.entries.items()}
    client.visit(stack.edges[1], all_came(client, feed))
    check(client, feed)
    wait_verdicts(stack.edges[1], proven=PARTITIONS)

    for change, foreign, unproven in (
        (lambda entry: entry.update(fp=entry["fp"] ^ 1), 1, 0),
        (lambda entry: entry.update(offset=10**12), 2, 0),
        (lambda entry: (entry.pop("fp"), entry.pop("fp_offset")), 2, 1),
    ):
        forger = Wanderer()
        forger.position = Position()
        forger.position.entries = {source: dict(entry) for source, entry in table.items()}
        for entry in forger.position.entries.values():
            change(entry)
        if unproven == 0:
            forger.visit(stack.edges[1], lambda c: len(c.gaps) >= PARTITIONS)
            assert {(gap["from"], gap["to"], gap["reason"]) for gap in forger.gaps} == {(0, feed.sent - 1, "reset")}
            assert forger.events == []
        else:
            forger.visit(stack.edges[1], all_came(forger, feed))
        wait_verdicts(stack.edges[1], proven=PARTITIONS, foreign=foreign * PARTITIONS, unproven=unproven * PARTITIONS)
