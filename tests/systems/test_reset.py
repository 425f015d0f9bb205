"""A topic that is deleted and made again under its name: its clients are told, and get all of the new one."""

import copy
import time

import stack as stack_tool
from test_resume import PARTITIONS, Position, Wanderer, start  # noqa: F401

OLD, NEW = 200, 30  # records of each partition


def fill(kafka, topic, count, kind):
    producer = stack_tool.Producer(kafka)
    for n in range(count):
        for partition in range(PARTITIONS):
            producer.send(topic, {"n": n, "p": partition, "kind": kind}, partition=partition)
    producer.flush()


def make_anew(kafka, topic):
    kafka.delete_topic(topic)
    deadline = time.monotonic() + 20
    while True:  # Kafka says that it is deleted a little before the name is free
        try:
            return kafka.create_topic(topic, PARTITIONS)
        except Exception:  # noqa: BLE001
            assert time.monotonic() < deadline
            time.sleep(0.1)


def of_kind(client, kind):
    return {p: [e["data"]["n"] for e in client.events if e["data"]["kind"] == kind and e["data"]["p"] == p]
            for p in range(PARTITIONS)}


def all_of(count):
    return {p: list(range(count)) for p in range(PARTITIONS)}


def test_live_clients_are_told_and_get_all_of_the_new_topic(start, kafka):  # noqa: F811
    stack = start(edges=1)
    client, before = Wanderer(), []

    def filled_made_anew_and_filled(c):
        if c.position.entries and not before:
            before.append(None)
            fill(kafka, stack.topic, OLD, "old")
        if len(before) == 1 and len(c.events) == OLD * PARTITIONS:
            before.append(copy.deepcopy(c.position))
            make_anew(kafka, stack.topic)
            fill(kafka, stack.topic, NEW, "new")
        return of_kind(c, "new") == all_of(NEW)

    client.visit(stack.edges[0], filled_made_anew_and_filled)
    assert of_kind(client, "old") == all_of(OLD)
    assert [gap["reason"] for gap in client.gaps] == ["reset"] * PARTITIONS
    assert {gap["source"] for gap in client.gaps} == {f"{stack.topic}/{p}@0" for p in range(PARTITIONS)}
    assert {gap["from"] for gap in client.gaps} == {OLD}
    assert {entry["source"] for entry in client.position.entries.values()} == {
        f"{stack.topic}/{p}@1" for p in range(PARTITIONS)}

    # Where it is now holds on another connection ...
    fill(kafka, stack.topic, NEW, "more")
    client.gaps.clear()
    client.visit(stack.edges[0], lambda c: of_kind(c, "more") == all_of(NEW))
    assert client.gaps == [] and of_kind(client, "new") == all_of(NEW)

    # ... and where it was in the old topic does not.
    late = Wanderer()
    late.position = Position()
    late.position.entries = before[1].entries
    late.visit(stack.edges[0], lambda c: len(c.gaps) == PARTITIONS)
    assert {(gap["from"], gap["to"], gap["reason"]) for gap in late.gaps} == {(0, 2 * NEW - 1, "reset")}
    assert late.events == []


def test_a_topic_that_was_made_anew_while_no_ingest_ran(start, kafka, free_port):  # noqa: F811
    """The edge holds where it was; the new topic has more records than the old one had."""
    port = free_port()
    stack = start(edges=1, port=port)
    client, steps = Wanderer(), []

    def made_anew_in_between(c):
        if c.position.entries and not steps:
            steps.append("filled")
            fill(kafka, stack.topic, NEW, "old")
        if len(steps) == 1 and len(c.events) == NEW * PARTITIONS:
            steps.append("made anew")
            stack.nodes[0].process.stop()
            make_anew(kafka, stack.topic)
            fill(kafka, stack.topic, OLD, "new")
            stack.start_ingest()
        return of_kind(c, "new") == all_of(OLD)

    client.visit(stack.edges[0], made_anew_in_between)
    assert [gap["reason"] for gap in client.gaps] == ["reset"] * PARTITIONS
    assert of_kind(client, "old") == all_of(NEW)
