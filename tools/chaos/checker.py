"""Proves from Kafka's records and the clients' journals that nothing was lost, doubled or out of order.

For each client, channel and partition: from where its subscription began, the client has to have got exactly the offsets
that Kafka holds for the channel, ascending and once, on all of its connections together, but for what it was told as a gap.
Believes neither the server nor the load tool. No clock, no processes.
"""

import bisect
import collections

import numpy as np

import journal as journals
from journal import CHECKPOINT, CONNECTED, END, EVENT, GAP, JOINED, PENDING, REASONS, SHOWN, SUBSCRIBED

RESET_END = (1 << 53) - 1  # `to` of a gap that tells of the end of a topic
KEPT = 20  # problems in words


class Verdict:
    """Counts, and the first problems in words."""

    def __init__(self):
        self.clients = self.subscriptions = self.connections = self.resumed = self.delivered = self.gaps = self.told = 0
        self.before = 0  # events older than where their subscription began
        self.reasons = collections.Counter()
        self.problems = collections.Counter()  # events, or what else the kind counts
        self.words = []

    def problem(self, kind, text, count=1):
        self.problems[kind] += count
        if len(self.words) < KEPT:
            self.words.append(f"{kind}: {text}")

    @property
    def ok(self):
        return not +self.problems

    @property
    def only_missing_at_the_end(self):
        return set(+self.problems) == {"missing at the end"}


class Partition:
    """What one client was told of one channel in one partition, held against what there is."""

    def __init__(self, where, topics, key, gaps_expected, verdict):
        self.where, self.verdict, self.gaps_expected = where, verdict, gaps_expected
        self.held = [topic.of(*key) for topic in topics]  # by generation of the topic
        self.generation = 0
        self.anew()

    def anew(self):
        """The subscription ended; another begins."""
        self.cursor = None  # everything up to there was sent or told
        self.began = None
        self.begun = False  # on this connection
        self.over = False  # this topic has ended, the next one is to be joined
        self.untold = 0  # events of a topic that has ended, of which nobody has spoken yet
        self.missing, self.told = set(), []  # offsets passed over; ranges told

    @property
    def offsets(self):
        return self.held[self.generation][0]

    def problem(self, kind, text, count=1):
        self.verdict.problem(kind, f"{self.where}: {text}", count)

    def between(self, after, upto):
        offsets = self.offsets
        return offsets[np.searchsorted(offsets, after, "right"):np.searchsorted(offsets, upto, "right")]

    def pass_over(self, upto, why):
        """Everything up to there was to have come."""
        lost = self.between(self.cursor, upto)
        if len(lost):
            self.missing.update(lost.tolist())
            self.problem("lost", f"{len(lost)} from {lost[0]} to {lost[-1]}, {why}", len(lost))
        self.cursor = max(self.cursor, upto)

    # -- what the client was told

    def connected(self, resumes):
        if not resumes:
            self.anew()
        self.begun = False

    def begin(self, kind, offset):
        self.begun = True
        if self.over:
            self.generation = min(self.generation + 1, len(self.held) - 1)
            self.anew()
            self.begun = True
            self.cursor = self.began = -1
            return self.pass_over(offset, "which the new topic was joined behind")
        if self.cursor is None:
            self.cursor = self.began = offset
            self.verdict.before += len(self.between(-1, offset))
            return None
        if offset == -1 < self.cursor and self.generation != len(self.held) - 1:
            # Where it was is not taken for a place in the topic as it is now.
            self.next_topic()
        elif offset > self.cursor:
            self.pass_over(offset, f"where it was {'joined' if kind == JOINED else 'subscribed'}")
        return None

    def checkpoint(self, offset):
        if self.cursor is not None:
            self.pass_over(offset, "which a checkpoint claims")

    def gap(self, first, last, reason):
        self.verdict.gaps += 1
        self.verdict.reasons[reason] += 1
        if not self.gaps_expected:
            self.problem("gap", f"{reason} from {first} to {last}")
        if self.cursor is None:
            return self.problem("false gap", f"{first} to {last}, before the subscription began")
        if reason == "reset":
            return self.reset(first, last)
        self.pass_over(first - 1, f"before a gap from {first} to {last}")
        if first > last or len(self.between(first - 1, min(last, self.cursor))):
            self.problem("false gap", f"{reason} from {first} to {last}: some of it had come by {self.cursor}")
        if reason == "slow" and not {first, last} <= set(self.between(first - 1, last).tolist()):
            self.problem("false gap", f"slow from {first} to {last}: not from event to event")
        return self.tell(first, last)

    def reset(self, first, last):
        if last == RESET_END:
            self.pass_over(first - 1, f"before the topic ended at {first}")
            self.verdict.told += len(self.between(first - 1, last))
            self.over = True
            return
        if self.generation != len(self.held) - 1:
            self.next_topic()
        self.untold = 0
        self.tell(first, last)

    def next_topic(self):
        self.untold = len(self.between(self.cursor, RESET_END))
        self.generation = len(self.held) - 1
        self.missing, self.told = set(), []
        self.cursor = self.began = -1

    def complain(self):
        """No gap has come where one was due."""
        if self.untold:
            self.problem("lost", f"the last {self.untold} of the old topic, without a gap", self.untold)
            self.untold = 0

    def tell(self, first, last):
        self.verdict.told += len(self.between(max(first - 1, self.cursor), last))
        self.told.append((first, last))
        self.cursor = max(self.cursor, last)

    def events(self, offsets, numbers):
        """A run of them with nothing else in between."""
        if not len(offsets):
            return
        self.complain()
        self.verdict.delivered += len(offsets)
        if not self.begun or self.cursor is None:
            return self.problem("before the beginning", f"{len(offsets)} events from {offsets[0]} on", len(offsets))
        held, stamps = self.held[self.generation]
        at = np.searchsorted(held, offsets)
        known = at < len(held)
        known[known] = held[at[known]] == offsets[known]
        known[known] &= (numbers[known] == stamps[at[known]])
        following = np.searchsorted(held, self.cursor, "right")
        if known.all() and at[0] == following and (np.diff(at) == 1).all():
            self.cursor = int(offsets[-1])
            return None
        for offset, number, is_known in zip(offsets.tolist(), numbers.tolist(), known.tolist()):
            self.event(offset, number, is_known)
        return None

    def event(self, offset, number, known):
        if not known:
            return self.problem("unknown", f"event {offset} (number {number}) is not what Kafka has there")
        if offset > self.cursor:
            self.pass_over(offset - 1, f"before {offset}")
            self.cursor = offset
        elif offset in self.missing:
            self.missing.discard(offset)
            self.verdict.problems["lost"] -= 1
            self.problem("out of order", f"{offset} came after {self.cursor}")
        elif any(first <= offset <= last for first, last in self.told):
            self.problem("false gap", f"{offset} came after a gap that says it does not")
        elif offset <= self.began:
            self.problem("before the beginning", f"{offset}, subscribed at {self.began}")
        else:
            self.problem("duplicate", f"{offset} came again after {self.cursor}")
        return None

    # -- the end

    def end(self, ready):
        self.complain()
        if not ready:
            return
        if self.cursor is None:
            there = sum(len(offsets) for offsets, _ in self.held)
            if there:
                self.problem("missing at the end", f"all {there}: it was never joined", there)
            return
        left = self.between(self.cursor, RESET_END)
        if len(left) and not self.over:
            self.problem("missing at the end", f"{len(left)} from {left[0]} to {left[-1]}", len(left))
        for generation in range(self.generation + 1, len(self.held)):
            there = self.held[generation][0]
            if len(there):
                self.problem("missing at the end", f"all {len(there)} of the new topic", len(there))


class Channel:
    """A client's entries of one channel, by partition."""

    def __init__(self, client, channel, name, topics, gaps_expected, verdict):
        self.where = f"client {client}, {name}"
        self.channel, self.topics, self.gaps_expected, self.verdict = channel, topics, gaps_expected, verdict
        self.parts = {}

    def part(self, partition):
        if partition not in self.parts:
            self.parts[partition] = Partition(f"{self.where}, partition {partition}", self.topics, (self.channel, partition),
                                              self.gaps_expected, self.verdict)
        return self.parts[partition]

    def check(self, entries, partitions, connections, ready):
        """`entries` and `connections` with where they stand in the journal; `partitions` of the entries' sources."""
        places, rows = entries
        for partition in sorted({p for topic in self.topics for p in topic.partitions(self.channel)} | set(partitions.tolist())):
            mine = partitions == partition
            if partition < 0:
                strange = int((rows["kind"][mine] == EVENT).sum())
                if strange:
                    self.verdict.problem("unknown", f"{self.where}: {strange} events of slots that were not told", strange)
                continue
            self._check(self.part(partition), places[mine], rows[mine], connections)
            self.part(partition).end(ready)

    @staticmethod
    def _check(part, places, rows, connections):
        events = rows["kind"] == EVENT
        offsets, numbers, at = rows["from"][events], rows["to"][events], places[events]
        told = [(int(place), int(row["kind"]), int(row["detail"]), int(row["from"]), int(row["to"]))
                for place, row in zip(places[~events], rows[~events])]
        done = 0
        for place, kind, detail, first, last in sorted(told + connections):
            upto = int(np.searchsorted(at, place))
            part.events(offsets[done:upto], numbers[done:upto])
            done = upto
            if kind == CONNECTED:
                part.connected(bool(detail))
            elif kind in (SUBSCRIBED, JOINED) and detail != PENDING:
                part.begin(kind, first)
            elif kind == CHECKPOINT and detail != PENDING:
                part.checkpoint(first)
            elif kind == GAP:
                part.gap(first, last, REASONS.get(detail, "other"))
        part.events(offsets[done:], numbers[done:])


def check(files, topics, names, clients=None, gaps_expected=False, ended=True):
    """The verdict. `files`: journals; `topics`: the topic's generations (truth.Topic), oldest first; `names`: of channels,
    by code; `clients`: how many there are to be; `ended`: whether the run is over."""
    verdict = Verdict()
    for file in files:
        entries = file.entries
        order = np.argsort(entries["client"], kind="stable")
        order = order[entries["kind"][order] != journals.SOURCE]
        owners = entries["client"][order]
        starts = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]]) if len(owners) else np.empty(0, np.int64)
        for start, stop in zip(starts, np.r_[starts[1:], len(owners)]):
            _check_client(file, order[start:stop], topics, names, gaps_expected, ended, verdict)
    if clients is not None and verdict.clients != clients:
        verdict.problem("absent", f"{clients - verdict.clients} clients have no journal", abs(clients - verdict.clients))
    return verdict


def _check_client(file, places, topics, names, gaps_expected, ended, verdict):
    rows = file.entries[places]
    client = int(rows["client"][0])
    verdict.clients += 1
    ends = rows[rows["kind"] == END]
    ready = bool(ends["detail"][-1]) if len(ends) else not ended
    if not ready:
        verdict.problem("absent", f"client {client} was not subscribed to everything at the end")
    connected = rows["kind"] == CONNECTED
    connections = [(int(place), CONNECTED, int(row["detail"]), 0, 0) for place, row in zip(places[connected], rows[connected])]
    verdict.connections += len(connections)
    verdict.resumed += sum(detail for _, _, detail, _, _ in connections)
    of_channel = ~connected & (rows["kind"] != END) & (rows["kind"] != SHOWN)
    places, rows = places[of_channel], rows[of_channel]
    for channel in np.unique(rows["channel"]).tolist():
        mine = rows["channel"] == channel
        verdict.subscriptions += 1
        Channel(client, channel, names.get(channel, f"channel {channel:#x}"), topics, gaps_expected, verdict).check(
            (places[mine], rows[mine]), file.partitions[rows["source"][mine]], connections, ready)
