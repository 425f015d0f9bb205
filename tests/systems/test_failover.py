"""An ingest that is killed: what its partitions carry flows again at once, none lost, repeated or reordered."""

import collections
import threading
import time

import assessment
import pytest
import stack as stack_tool
from assessment import PARTITIONS, join_live
from processes import wait_until

TOPICS = ("market-data.btc-ticks", "market-data.eth-ticks", "assessment.pnl-updated")
KEYS = [(topic, partition) for topic in TOPICS for partition in range(PARTITIONS)]
EVERY_SECONDS = 0.01  # between two records of a partition


class NumberedFeed:
    """Sends numbered events to every partition of the topics until stop()."""

    def __init__(self, producer, name):
        self.sent = 0  # of each partition
        self._producer, self._name = producer, name
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        start = time.monotonic()
        while not self._stopping.wait(max(0, start + self.sent * EVERY_SECONDS - time.monotonic())):
            for topic, partition in KEYS:
                self._producer.send(topic, {"assessmentId": self._name, "symbol": f"P{partition}",
                                            "feed": self._name, "partition": partition,
                                            "number": self.sent}, partition=partition)
            self.sent += 1

    def stop(self):
        self._stopping.set()
        self._thread.join()
        self._producer.flush()


def arrivals(client, feed):
    """{(topic, partition): [(number, time)]} of what came of a feed, in the order in which it came."""
    found = collections.defaultdict(list)
    for message, when in zip(list(client.messages), list(client.times)):
        data = message.get("data", {})
        if data.get("feed") == feed:
            found[data["topic"], data["partition"]].append((data["number"], when))
    return found


def attachments(edge):
    with edge.rpc() as client:
        stats = client.call("spillway.v1.AdminService/GetStats")
    return {(one["topic"], one.get("partition", 0)): one.get("ingest", "")
            for one in stats.get("attachments", [])}


def check_all_came(client, feed):
    """Waits for the last number of every partition; then each has all numbers, once, in order."""
    def complete(_):
        got = arrivals(client, feed._name)
        return all(got[key] and got[key][-1][0] == feed.sent - 1 for key in KEYS)
    client.wait_for(complete, timeout=20, what=f"the end of {feed.sent} events a partition")
    for key, came in arrivals(client, feed._name).items():
        assert [number for number, _ in came] == list(range(feed.sent)), key
    assert client.of("gap") == []


@pytest.fixture
def system(kafka, binaries, tmp_path, request):
    assessment.make_topics(kafka)
    stack = stack_tool.Stack(binaries, tmp_path, request.node.name)
    request.node.spillway_processes = stack.processes
    env = {"KAFKA_BROKERS": kafka.bootstrap}
    stack.ingests = {
        name: stack.ingest(preset="assessment", env={**env, "NODE_ID": name}, name=name)
        for name in ("ingest-a", "ingest-b")}
    stack.edges = [stack.edge(stack.ingests.values(), preset="assessment", name=f"edge{n}") for n in (1, 2)]
    for node in (*stack.ingests.values(), *stack.edges):
        node.wait_ready()
    stack.producer = stack_tool.Producer(kafka)
    yield stack
    stack.finish()


def test_kill_9_of_one_of_two_ingests(system, capsys, record_property):
    """The goal is 1 s. What it took is told with the result; the bound leaves room for a busy machine."""
    for edge in system.edges:
        wait_until(lambda edge=edge: edge.ready()[1].get("ingest") == "connected", 10, "both ingests linked")
    clients = [join_live(edge, system.producer, "a-failover") for edge in system.edges]
    feed = NumberedFeed(system.producer, "a-failover")
    time.sleep(1)

    before = [attachments(edge) for edge in system.edges]
    used = collections.Counter(where[key] for where in before for key in KEYS)
    print("attached:", dict(used))
    victim = used.most_common(1)[0][0]
    killed = time.monotonic()
    system.ingests[victim].process.kill()
    time.sleep(3)
    feed.stop()

    for edge, where, client in zip(system.edges, before, clients):
        check_all_came(client, feed)
        # The longest silence, from just before the kill on, of a partition that the victim had served.
        came = arrivals(client, "a-failover")
        pauses = []
        for key in KEYS:
            times = [when for _, when in came[key] if when > killed - 0.1]
            if where[key] == victim:
                pauses.append(max(later - earlier for earlier, later in zip(times, times[1:])))
        if pauses:
            record_property(f"{edge.process.name}_pause_ms", round(max(pauses) * 1000))
            with capsys.disabled():
                print(f"\n{edge.process.name}: a pause of {max(pauses) * 1000:.0f} ms at kill -9 "
                      f"({len(pauses)} of the partitions watched)")
            assert max(pauses) < 10
        assert victim not in attachments(edge).values()
        status, document = edge.ready()
        assert status == 200 and victim in str(document), document  # and it says who is missing
        client.close()


def test_an_ingest_that_stops_in_order_and_one_that_comes(system):
    with join_live(system.edges[0], system.producer, "a-rolling") as client:
        feed = NumberedFeed(system.producer, "a-rolling")
        time.sleep(0.5)
        old = system.ingests["ingest-a"]
        port = int(old.grpc.rpartition(":")[2])
        assert old.process.stop() == 0
        time.sleep(1)
        system.ingest(preset="assessment", name="ingest-a-again", port=port,
                      env={"KAFKA_BROKERS": system.producer.bootstrap, "NODE_ID": "ingest-a"}).wait_ready()
        time.sleep(1)
        feed.stop()
        check_all_came(client, feed)
