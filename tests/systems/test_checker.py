"""The checker of ./dev chaos catches what it is there for: each fault is put into journals of a run without one."""

import pathlib
import struct
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "chaos"))

import checker  # noqa: E402
import journal as journals  # noqa: E402
import truth  # noqa: E402
from journal import CHECKPOINT, CONNECTED, END, EVENT, GAP, JOINED, PENDING, SHOWN, SUBSCRIBED  # noqa: E402

ONE, MANY = 0, 1 << 24 | 0  # channels: of one partition, of two
NAMES = {ONE: "one:0", MANY: "many:0"}
LIMIT, RETENTION, RESET, SLOW = 3, 1, 2, 4
LAST = (1 << 53) - 1


def records(count=40, first=1):
    """Partition 0 feeds both channels, 1 only the second; offset 7 of both is no event (a transaction's end)."""
    numbers = {ONE: first - 1, MANY: first - 1}
    for offset in range(count):
        for partition in (0, 1):
            if offset == 7:
                continue
            channel = ONE if partition == 0 and offset % 2 else MANY
            numbers[channel] += 1
            yield channel, partition, offset, numbers[channel]


class Client:
    """Entries as spillway-load writes them, kept as lists so that a test can break them."""

    def __init__(self, number=0):
        self.number, self.entries = number, []
        self.where = {}

    def add(self, kind, channel=0, partition=None, first=0, to=0, detail=0, source=None):
        source = (journals.NO_SOURCE if partition is None else partition) if source is None else source
        self.entries.append([kind, detail, source, self.number, channel, 0, first, to])
        return self

    def connect(self, again=False):
        self.add(CONNECTED, detail=int(again))
        if again:
            for (channel, partition), offset in self.where.items():
                self.add(SHOWN, channel, partition, offset)
        return self

    def subscribe(self, *places, kind=SUBSCRIBED):
        for channel, partition, offset in places:
            self.where[channel, partition] = offset
            self.add(kind, channel, partition, offset)
        return self

    def resume(self):
        return self.connect(again=True).subscribe(*[(c, p, o) for (c, p), o in self.where.items()])

    def take(self, topic, upto):
        """Everything up to an offset that has not come yet."""
        for (channel, partition), after in list(self.where.items()):
            for offset, number in zip(*(values.tolist() for values in topic.of(channel, partition))):
                if after < offset <= upto:
                    self.add(EVENT, channel, partition, offset, number)
            self.where[channel, partition] = max(after, upto)
        return self

    def end(self, ready=True):
        return self.add(END, detail=int(ready))

    def event(self, channel, partition, offset):
        """The index of an event's entry."""
        return next(i for i, e in enumerate(self.entries)
                    if e[0] == EVENT and (e[4], e[2], e[6]) == (channel, partition, offset))


@pytest.fixture
def topic():
    return truth.Topic(records())


@pytest.fixture
def client(topic):
    """One that loses its connection once."""
    begin = [(ONE, 0, 3), (MANY, 0, -1), (MANY, 1, 4)]
    return Client().connect().subscribe(*begin).take(topic, 20).resume().take(topic, 39).end()


@pytest.fixture
def verdict(topic, tmp_path):
    def judge(*clients, topics=None, **options):
        path = tmp_path / "journal"
        rows = [("t/0@0", 0), ("t/1@0", 1), ("t/0@1", 2), ("t/1@1", 3)]
        sources = b"".join(struct.pack("<BBHIII16s", journals.SOURCE, len(name), number, 0, 0, 0, name.encode())
                           for name, number in rows)
        entries = np.array([tuple(e) for c in clients for e in c.entries], journals.ENTRY)
        header = journals.MAGIC + struct.pack("<IIIIQ", 1, 32, 0, 1, 0)
        (tmp_path / "journal.0").write_bytes(header + sources + entries.tobytes())
        return checker.check(journals.read(path), topics or [topic], NAMES, clients=len(clients), **options)

    return judge


def kinds(verdict):
    return dict(+verdict.problems)


def test_a_run_without_a_fault(client, topic, verdict):
    result = verdict(client)
    assert result.ok, result.words
    assert (result.clients, result.subscriptions, result.connections, result.resumed) == (1, 2, 2, 1)
    assert result.delivered + result.before == topic.count
    assert result.before > 0


def test_clients_of_one_file_are_told_apart(topic, verdict):
    a, b = (Client(n).connect().subscribe((ONE, 0, -1)) for n in (0, 1))
    for upto in range(0, 40, 3):  # what they get is mixed
        a.take(topic, upto)
    b.take(topic, 39).end()
    a.take(topic, 39).end()
    mixed = Client()
    rest = list(b.entries)
    for entry in a.entries:
        mixed.entries.append(entry)
        if rest:
            mixed.entries.append(rest.pop(0))
    mixed.entries += rest
    result = verdict(mixed, Client(9))  # an empty one, to be two
    assert result.ok and result.clients == 2, result.words


@pytest.mark.parametrize("offset", [8, 19, 20, 22, 39])  # within a run, at its ends, at the end of all
def test_a_loss(client, verdict, offset):
    del client.entries[client.event(MANY, 0, offset if offset % 2 == 0 else offset - 1)]
    result = verdict(client)
    assert not result.ok
    assert sum(kinds(result).values()) == 1 and set(kinds(result)) <= {"lost", "missing at the end"}


def test_a_loss_between_connections(client, topic, verdict):
    at = client.event(ONE, 0, 21)
    del client.entries[at]
    for entry in client.entries:  # and the place shown says that it had come
        if entry[0] in (SHOWN, SUBSCRIBED) and entry[4] == ONE and entry[6] == 20:
            entry[6] = 21
    assert kinds(verdict(client)) == {"lost": 1}


def test_a_duplicate(client, verdict):
    at = client.event(ONE, 0, 13)
    client.entries.insert(at + 1, list(client.entries[at]))
    assert kinds(verdict(client)) == {"duplicate": 1}


def test_a_duplicate_on_the_next_connection(client, verdict):
    again = list(client.entries[client.event(ONE, 0, 19)])
    client.entries.insert(client.event(ONE, 0, 21), again)
    assert kinds(verdict(client)) == {"duplicate": 1}


def test_a_swap(client, verdict):
    a, b = client.event(MANY, 1, 10), client.event(MANY, 1, 11)
    client.entries[a], client.entries[b] = client.entries[b], client.entries[a]
    assert kinds(verdict(client)) == {"out of order": 1}


def test_an_order_between_partitions_is_none(client, verdict):
    a, b = client.event(MANY, 0, 10), client.event(MANY, 1, 20)
    first = [e for e in client.entries[a:b + 1] if e[2] == 1]
    client.entries[a:b + 1] = first + [e for e in client.entries[a:b + 1] if e[2] == 0]
    assert verdict(client).ok


def test_what_was_never_committed(client, verdict):
    at = client.event(MANY, 1, 6)
    client.entries.insert(at + 1, [EVENT, 0, 1, 0, MANY, 0, 7, 0])
    assert kinds(verdict(client)) == {"unknown": 1}


def test_another_records_content(client, verdict):
    client.entries[client.event(MANY, 1, 6)][7] += 1
    assert kinds(verdict(client)) == {"unknown": 1, "lost": 1}


def test_another_channels_event(client, verdict):
    client.entries[client.event(ONE, 0, 5)][4] = MANY
    assert set(kinds(verdict(client))) >= {"unknown", "lost"}


def test_an_event_of_a_slot_that_was_not_told(client, verdict):
    client.entries[client.event(ONE, 0, 5)][2] = journals.NO_SOURCE
    assert set(kinds(verdict(client))) == {"unknown", "lost"}


def test_an_event_at_or_before_the_beginning(client, verdict):
    client.entries.insert(client.event(ONE, 0, 5), [EVENT, 0, 0, 0, ONE, 0, 3, 2])
    assert kinds(verdict(client)) == {"before the beginning": 1}


def test_an_event_before_its_subscription(client, verdict):
    event = client.entries[client.event(ONE, 0, 21)]
    client.entries.remove(event)
    at = next(i for i, e in enumerate(client.entries) if e[0] == SHOWN)
    client.entries.insert(at, event)  # of the next connection, on which nothing was told yet
    assert kinds(verdict(client))["before the beginning"] == 1


def test_a_checkpoint_that_claims_too_much(client, verdict):
    client.entries.insert(client.event(ONE, 0, 21), [CHECKPOINT, 0, 0, 0, ONE, 0, 21, 0])
    assert kinds(verdict(client)) == {"out of order": 1}


def test_a_checkpoint_that_is_right(client, verdict):
    client.entries.insert(client.event(ONE, 0, 21), [CHECKPOINT, 0, 0, 0, ONE, 0, 20, 0])
    assert verdict(client).ok


def with_gap(client, first, last, reason=LIMIT, left_out=True):
    """Tells a gap of the second channel's partition 1, and leaves out what it covers."""
    at = client.event(MANY, 1, first)
    if left_out:
        client.entries = [e for e in client.entries if not (e[0] == EVENT and e[4] == MANY and e[2] == 1 and
                                                            first <= e[6] <= last)]
    client.entries.insert(at, [GAP, reason, 1, 0, MANY, 0, first, last])
    return client


def test_a_gap_that_should_not_be(client, verdict):
    assert kinds(verdict(with_gap(client, 24, 27))) == {"gap": 1}


def test_a_gap_that_may_be(client, verdict):
    result = verdict(with_gap(client, 24, 27), gaps_expected=True)
    assert result.ok, result.words
    assert (result.gaps, result.told, dict(result.reasons)) == (1, 4, {"limit": 1})


def test_a_gap_that_tells_of_what_comes(client, verdict):
    assert set(kinds(verdict(with_gap(client, 24, 27, left_out=False), gaps_expected=True))) == {"false gap"}


def test_a_gap_that_tells_of_what_came(client, verdict):
    at = client.event(MANY, 1, 27)
    client.entries.insert(at + 1, [GAP, LIMIT, 1, 0, MANY, 0, 24, 27])
    assert kinds(verdict(client, gaps_expected=True)) == {"false gap": 1}


def test_a_gap_that_tells_too_little(client, verdict):
    with_gap(client, 24, 27)
    gap = next(e for e in client.entries if e[0] == GAP)
    gap[7] = 26
    assert kinds(verdict(client, gaps_expected=True)) == {"lost": 1}
    gap[6], gap[7] = 25, 27
    assert kinds(verdict(client, gaps_expected=True)) == {"lost": 1}


def test_a_gap_that_is_missing(client, verdict):
    with_gap(client, 24, 27)
    client.entries = [e for e in client.entries if e[0] != GAP]
    assert kinds(verdict(client, gaps_expected=True)) == {"lost": 4}


def test_a_gap_in_the_wrong_place(client, verdict):
    with_gap(client, 24, 27)
    gap = next(e for e in client.entries if e[0] == GAP)
    client.entries.remove(gap)
    client.entries.insert(client.event(MANY, 1, 28) + 1, gap)
    assert set(kinds(verdict(client, gaps_expected=True))) == {"lost", "false gap"}


def test_a_gap_of_a_slow_client_is_from_event_to_event(client, verdict):
    assert verdict(with_gap(client, 24, 27, SLOW), gaps_expected=True).ok
    gap = next(e for e in client.entries if e[0] == GAP)
    gap[4], gap[2], gap[6], gap[7] = ONE, 0, 22, 22  # no event of that channel
    assert "false gap" in kinds(verdict(client, gaps_expected=True))


def test_a_client_that_did_not_come_back(client, verdict):
    client.entries[-1][1] = 0
    assert kinds(verdict(client)) == {"absent": 1}


def test_a_partition_that_was_never_joined(topic, verdict):
    client = Client().connect().subscribe((MANY, 0, -1)).add(SUBSCRIBED, MANY, 1, detail=PENDING)
    client.take(topic, 39).end()
    assert set(kinds(verdict(client))) == {"missing at the end"}
    client = Client().connect().subscribe((MANY, 0, -1)).add(SUBSCRIBED, MANY, 1, detail=PENDING)
    assert verdict(client.subscribe((MANY, 1, 9), kind=JOINED).take(topic, 39).end()).ok


def test_who_shows_nothing_begins_anew(topic, verdict):
    client = Client().connect().subscribe((ONE, 0, -1)).take(topic, 10)
    assert verdict(client.connect().subscribe((ONE, 0, 30)).take(topic, 39).end()).ok


def test_a_run_that_goes_on(client, topic, verdict):
    client = Client().connect().subscribe((ONE, 0, -1)).take(topic, 20)
    result = verdict(client, ended=False)
    assert result.only_missing_at_the_end
    assert verdict(client.take(topic, 39), ended=False).ok


class TestATopicMadeAnew:
    @pytest.fixture
    def topics(self, topic):
        return [topic, truth.Topic(records(30, first=1000))]

    def told(self, topics):
        client = Client().connect().subscribe((ONE, 0, -1)).take(topics[0], 39)
        client.add(GAP, ONE, 0, 40, LAST, RESET)
        client.where.clear()
        return client

    def joined(self, client, topics, at=-1):
        client.add(JOINED, ONE, first=at, source=2)
        offsets, numbers = topics[1].of(ONE, 0)
        for offset, number in zip(offsets.tolist(), numbers.tolist()):
            if offset > at:
                client.add(EVENT, ONE, first=offset, to=number, source=2)
        return client.end()

    def test_is_told_and_joined(self, topics, verdict):
        result = verdict(self.joined(self.told(topics), topics), topics=topics, gaps_expected=True)
        assert result.ok, result.words

    def test_is_lost(self, topics, verdict):
        assert set(kinds(verdict(self.told(topics).end(), topics=topics, gaps_expected=True))) == {"missing at the end"}

    def test_is_joined_too_late(self, topics, verdict):
        result = verdict(self.joined(self.told(topics), topics, at=5), topics=topics, gaps_expected=True)
        assert kinds(result) == {"lost": 3}

    def test_what_was_left_of_the_old_one_is_told(self, topics, verdict):
        client = Client().connect().subscribe((ONE, 0, -1)).take(topics[0], 20)
        client.add(GAP, ONE, 0, 21, LAST, RESET)
        assert verdict(self.joined(client, topics), topics=topics, gaps_expected=True).ok
        next(e for e in client.entries if e[0] == GAP)[6] = 25
        assert kinds(verdict(client, topics=topics, gaps_expected=True)) == {"lost": 2}

    def test_is_told_to_who_comes_back_later(self, topics, verdict):
        client = Client().connect().subscribe((ONE, 0, -1)).take(topics[0], 20).connect(again=True)
        client.add(SUBSCRIBED, ONE, first=-1, source=2).add(GAP, ONE, first=0, to=11, detail=RESET, source=2)
        offsets, numbers = topics[1].of(ONE, 0)
        for offset, number in zip(offsets.tolist(), numbers.tolist()):
            if offset > 11:
                client.add(EVENT, ONE, first=offset, to=number, source=2)
        result = verdict(client.end(), topics=topics, gaps_expected=True)
        assert result.ok and result.told == 5, result.words

    @pytest.mark.parametrize("upto", [39, 20])
    def test_a_place_that_is_not_taken_may_be_told_by_where_it_begins(self, topics, verdict, upto):
        """Nothing of the new topic has been left out, so there is no gap; but something of the old one may have been."""
        client = Client().connect().subscribe((ONE, 0, -1)).take(topics[0], upto).connect(again=True)
        client.add(SUBSCRIBED, ONE, first=-1, source=2)
        for offset, number in zip(*(values.tolist() for values in topics[1].of(ONE, 0))):
            client.add(EVENT, ONE, first=offset, to=number, source=2)
        result = verdict(client.end(), topics=topics, gaps_expected=True)
        assert kinds(result) == ({} if upto == 39 else {"lost": 10})
