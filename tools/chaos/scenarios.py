"""What a run does from its beginning to its verdict."""

import collections
import heapq
import json
import random
import time

import checker
import faults as fault_kinds
import journal
import schedule
from world import ChaosError, World, kafka

KafkaError = kafka.KafkaError
MUST_FLOW = 3  # seconds: a fault that lasts as long is seen through by those whom it does not concern
PATIENCE = 300  # seconds for what is certain to come, however slow the machine is


class Chaos:
    """Faults of one run, and their ends, in the order of their times."""

    def __init__(self, world, options):
        self.world, self.options = world, options
        self.random = random.Random(options.seed)
        self.plan = schedule.plan(fault_kinds.kinds(world), options.faults, self.random)
        self.busy = set()  # names of targets
        self.ends = []  # heap of (time, number, fault, names, target, (bytes of the journals, time) when it began)
        self.done = collections.Counter()
        self.still = collections.Counter()  # faults during which no client got anything
        self.too_still = collections.Counter()  # those among them that are no excuse for it
        self.excused = 0.0  # until when nothing needs to flow
        self.began = time.monotonic()

    def say(self, text):
        print(f"{time.monotonic() - self.began:7.2f} s  {text}", flush=True)

    def may(self, names):
        if any(name in self.busy for name in names):
            return False
        # With every ingest away nothing flows, with every edge away nobody is there: that proves little.
        for tier in (self.world.ingests, self.world.edges):
            if all(node.name in names or node.name in self.busy for node in tier):
                return False
        return True

    def strike(self, fault):
        """False: not now, all of its targets are busy."""
        free = [(names, target) for names, target in fault.targets() if self.may(names)]
        if not free:
            return False
        names, target = self.random.choice(free)
        seconds = self.random.uniform(*fault.seconds)
        whom = ", ".join(names) + (f" {target}" if isinstance(target, int) else "")
        self.say(f"{fault.name}: {whom}, for {seconds:.1f} s")
        before = self.world.load.written()
        fault.do(target)
        self.busy.update(names)
        self.done[fault.name] += 1
        began = time.monotonic()
        if fault.stops_all:  # its end takes a moment more
            self.excused = max(self.excused, began + seconds + 1)
        heapq.heappush(self.ends, (began + seconds, sum(self.done.values()), fault, names, target, (before, began)))
        return True

    def end_due(self):
        while self.ends and self.ends[0][0] <= time.monotonic():
            _, number, fault, names, target, before = heapq.heappop(self.ends)
            if before is not None and self.world.load.written() == before[0]:
                self.still[fault.name] += 1
                now = time.monotonic()
                if now - max(before[1], self.excused) >= MUST_FLOW:
                    self.too_still[fault.name] += 1
            if fault.undo(target) is False:
                heapq.heappush(self.ends, (time.monotonic() + 0.2, number, fault, names, target, None))
            else:
                self.busy.difference_update(names)

    def run(self):
        following, left = time.monotonic(), collections.deque(self.plan)
        while left:
            self.world.load.check_alive()
            if time.monotonic() >= following and self.strike(left[0]):
                left.popleft()
                following = time.monotonic() + self.random.expovariate(1 / self.options.every)
            self.end_due()
            time.sleep(0.02)
        while self.ends:
            self.end_due()
            time.sleep(0.02)
        self.say("everything is mended")


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise ChaosError(f"{what}: not after {PATIENCE} s")
        time.sleep(0.05)


def judge(world, topics, gaps_expected=False):
    """The checker's verdict once nothing is missing, or nothing more comes; with the load tool's report."""
    options, load = world.options, world.load
    arguments = {"clients": options.clients, "gaps_expected": gaps_expected}
    size, heard = load.written(), time.monotonic()
    while not checker.check(journal.read(load.journal), topics, world.channels(), ended=False, **arguments).ok:
        if load.written() != size:
            size, heard = load.written(), time.monotonic()
        if time.monotonic() - heard > options.silence:
            break
        time.sleep(1)
    report = load.finish()
    return checker.check(journal.read(load.journal), topics, world.channels(), **arguments), report


def add_report(verdict, report, gaps_expected=False):
    """What the load tool itself found wrong."""
    checks = report["checks"]
    names = ["duplicates", "out_of_order", "unexpected", "errors"]
    # Numbers that Kafka did not take are not lost; and which of several partitions a gap was of, it does not know.
    if not report["publish"]["failed"] and not gaps_expected:
        names.append("lost")
    for name in names:
        if checks[name]:
            verdict.problem(f"told by the load tool: {name}", checks["first_problem"] or "no words", checks[name])


def write_report(options, verdict, report, records, **more):
    (options.out / "report.json").write_text(json.dumps({
        "seed": options.seed, "counts": {"records": records, "delivered": verdict.delivered, "resumed": verdict.resumed,
                                         "gaps": verdict.gaps}, "problems": +verdict.problems, "words": verdict.words, "gaps": verdict.reasons, "load": report,
        **more}, indent=1) + "\n", encoding="utf-8")


def tell(verdict, report, kafka_count):
    checks, recovery, latency = report["checks"], report["recovery_us"], report["latency_us"]["all"]
    print(f"{kafka_count:,} records in Kafka; {verdict.clients} clients with {verdict.subscriptions} channels, "
          f"{verdict.connections:,} connections, {verdict.resumed:,} of them resumed; {verdict.delivered:,} events delivered and "
          f"compared, {verdict.before:,} older than where a subscription began")
    print(f"caught up after (s): p50 {recovery['p50'] / 1e6:.3f}, p99 {recovery['p99'] / 1e6:.3f}, max {recovery['max'] / 1e6:.3f}; "
          f"latency (s): p50 {latency['p50'] / 1e6:.3f}, p99 {latency['p99'] / 1e6:.3f}, max {latency['max'] / 1e6:.3f}; "
          f"{checks['connections_lost']:,} connections lost, close codes {checks['close_codes']}")
    if verdict.gaps:
        print(f"{verdict.gaps:,} gaps told, {dict(verdict.reasons)}, for {verdict.told:,} events")
    if verdict.ok:
        print("nothing lost, nothing twice, nothing out of order")
        return
    print(f"WRONG: {dict(+verdict.problems)}")
    for words in verdict.words:
        print(f"  {words}")


def faults(options):
    """Random faults; whether all was well."""
    print(f"seed {options.seed}: {options.faults} faults, one every {options.every:g} s; {options.brokers} brokers, "
          f"{options.ingests} ingests, {options.edges} edges, {options.clients} clients, {options.rate} records/s", flush=True)
    with World(options, options.out) as world:
        world.start_companion()
        # It is told when to end; this bounds it if nobody does.
        world.start_load(3600 + options.faults * options.every * 10)
        wait_until(lambda: world.load.written() > 100_000, "the first events")
        chaos = Chaos(world, options)
        chaos.run()
        for node in world.nodes:
            node.wait_ready(PATIENCE)
        world.companion.stop()
        world.load.drain(PATIENCE)
        topic = world.truth()
        verdict, report = judge(world, [topic])
        companion = world.companion
    add_report(verdict, report)
    if options.brokers > 1:  # one broker alone is part of every way
        for name, count in chaos.too_still.items():
            verdict.problem("nothing was delivered during a fault", f"{name}: {count} times")
    write_report(options, verdict, report, topic.count, faults=chaos.done)
    print()
    for name, count in sorted(chaos.done.items()):
        print(f"{count:6}  {name}" + (f" (nothing was delivered during {chaos.still[name]})" if chaos.still[name] else ""))
    print(f"orderly stops took {max(node.slowest for node in world.nodes):.1f} s at most")
    print(f"transactions: {companion.committed} committed, {companion.aborted} aborted, {companion.failed} broken")
    tell(verdict, report, topic.count)
    return verdict.ok
