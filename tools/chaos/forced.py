"""Scenarios in which something has to be told: gaps, and a topic that is made anew."""

import random
import time

from confluent_kafka import KafkaException

import checker
import journal
import scenarios
import truth
from scenarios import PATIENCE, add_report, judge, tell, wait_until, write_report
from world import TOPIC, ChaosError, World

FOREVER = 7200  # seconds that bound a load tool which nobody ends


def gaps(options):
    """Logs hold next to nothing, nothing is read from Kafka again, some clients stop reading, and records are removed: every
    gap has to be told, exactly. Whether it was so, and whether there was a gap of each kind."""
    options.history = {"bytes_per_partition": "64KiB", "age": "1s", "reread_records": 0}
    options.edge_limits = {"outbox_messages": 64, "outbox_bytes": "16KiB", "tcp_notsent_lowat": "4KiB"}
    options.patterns = 0  # theirs are of no entry alone
    options.edge_channels = [{"pattern": "many:**", "slow": "drop_oldest"}, {"pattern": "one:**", "slow": "conflate"}]
    chance, topics = random.Random(options.seed), []
    print(f"seed {options.seed}: forced gaps, {options.rounds} rounds", flush=True)
    with World(options, options.out) as world:
        world.start_load(FOREVER, flags=["--slow_share=0.2", "--slow_after=2", "--slow_for=5", "--slow_buffer=4096"])
        wait_until(lambda: world.load.written() > 100_000, "the first events")
        time.sleep(8)  # some clients stop reading, and go on
        for _ in range(options.rounds):
            for step in chance.sample([_restart_edges, _restart_ingests], 2):
                step(world, topics)
        world.load.drain(PATIENCE)
        topic = truth.Topic.merged([*topics, world.truth()])
        verdict, report = judge(world, [topic], gaps_expected=True)
    add_report(verdict, report, gaps_expected=True)
    for reason in ("limit", "retention", "slow"):
        if not verdict.reasons[reason]:
            verdict.problem("no gap of a kind", reason)
    write_report(options, verdict, report, topic.count)
    tell(verdict, report, topic.count)
    return verdict.ok


def _wait_for_records(world, count):
    """So many in each partition from now on."""
    before = world.ends()
    wait_until(lambda: all(end >= before[p] + count for p, end in world.ends().items()), f"{count} records in each partition")


def _restart(nodes, meanwhile):
    for node in nodes:
        node.kill()
    meanwhile()
    for node in nodes:
        node.start()
    for node in nodes:
        node.wait_ready(PATIENCE)


def _restart_edges(world, _):
    """Their rings are empty afterwards, and the log of the ingests does not reach back so far."""
    _restart(world.edges, lambda: _wait_for_records(world, 1000))


def _restart_ingests(world, topics):
    """What the edges have next is no more in Kafka when they read again."""
    def remove():
        _wait_for_records(world, 300)
        ends = world.ends()
        topics.append(world.truth())
        world.delete_records(ends)

    _restart(world.ingests, remove)


class Filler:
    """Publishes what spillway-load would: numbers of each channel, in the same partitions; waits for Kafka to have them."""

    def __init__(self, world):
        self.world, self.numbers = world, dict.fromkeys(world.channels(), 0)

    def fill(self, count):
        from confluent_kafka import Producer
        failures = []
        producer = Producer({"bootstrap.servers": self.world.cluster.bootstrap, "enable.idempotence": True, "linger.ms": 5})
        for _ in range(count):
            for code, name in self.world.channels().items():
                self.numbers[code] += 1
                number, n = self.numbers[code], code & 0xFFFFFF
                places = self.world.places_of(n) if code >> 24 else [n % self.world.options.partitions]
                producer.produce(TOPIC, f'{{"c":"{n}","l":"{code:08x}{number:08x}{0:016x}"}}'.encode(), f"{n}".encode(),
                                 partition=places[number % len(places)], headers={"channel": name},
                                 on_delivery=lambda error, _: error and failures.append(error))
                producer.poll(0)
        if producer.flush(PATIENCE) or failures:
            raise ChaosError(f"not all could be published: {failures[:1]}")


def reset(options):
    """The topic is deleted and made anew: clients are told `reset`, and then get all of the new one. Whether it was so."""
    print(f"seed {options.seed}: a topic made anew", flush=True)
    with World(options, options.out) as world:
        def delivered(*topics):
            return checker.check(journal.read(world.load.journal), topics, world.channels(), ended=False, gaps_expected=True).ok

        filler = Filler(world)
        filler.fill(50)
        world.start_load(1, publishes=False)
        wait_until(lambda: world.load.written() > 0, "the first client")
        world.load.drain(PATIENCE)  # everybody is there
        filler.fill(200)
        old = world.truth()
        wait_until(lambda: delivered(old), "everything of the old topic")
        wait_until(lambda: _gone(world), "the topic's end")
        wait_until(lambda: _made(world), "the topic's name is free")
        filler.fill(300)
        if not options.early:
            fresh = world.truth()
            wait_until(lambda: delivered(old, fresh), "everything of the new topic")
        world.edges[0].kill()  # its clients take what they know to another edge
        filler.fill(100)
        world.edges[0].start()
        world.edges[0].wait_ready(PATIENCE)
        filler.fill(100)
        new = world.truth()
        verdict, report = judge(world, [old, new], gaps_expected=True)
    add_report(verdict, report, gaps_expected=True)
    if verdict.reasons["reset"] != verdict.gaps:
        verdict.problem("another gap", str(dict(verdict.reasons)))
    if not verdict.reasons["reset"]:
        verdict.problem("no gap of a kind", "reset")
    write_report(options, verdict, report, old.count + new.count)
    tell(verdict, report, old.count + new.count)
    return verdict.ok


def _made(world):
    try:
        world.create_topic()
        return True
    except scenarios.KafkaError:
        # Kafka says that one is deleted a little before its name is free; and it may have made this one and not said so.
        try:
            return not any(world.ends(patient=False).values())
        except KafkaException:
            return False


def _gone(world):
    try:
        world.cluster.delete_topic(TOPIC)
        return True
    except scenarios.KafkaError:
        return TOPIC not in world.cluster.admin().list_topics(timeout=60).topics
