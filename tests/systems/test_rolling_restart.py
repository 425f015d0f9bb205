"""Both edges are stopped in order and started again, one after the other, under load: clients are told before, go on at
the other one, and lose nothing."""

import threading
import time

from test_resume import Feed, Wanderer, all_came, check, start  # noqa: F401: a fixture

CLIENTS = 12


class Resident(threading.Thread):
    """A client that stays where it is until it is told to move."""

    def __init__(self, stack, number, done):
        super().__init__(daemon=True)
        self.stack, self.number, self.done = stack, number, done
        self.client = Wanderer()
        self.moves = 0
        self.problem = None

    def run(self):
        try:
            while not self.done(self.client):
                edges = [edge for edge in list(self.stack.edges) if edge is not None]
                edge = edges[(self.number + self.moves) % len(edges)]
                before = len(self.client.moving)
                self.client.visit(edge, lambda c, before=before: len(c.moving) > before or self.done(c))
                self.moves += len(self.client.moving) > before
        except BaseException as problem:  # pylint: disable=broad-except
            self.problem = problem


def test_a_rolling_restart_loses_nothing(start):  # noqa: F811
    stack = start(edges=2)
    feed = Feed(stack.producer, stack.topic)
    over = threading.Event()
    residents = [Resident(stack, n, lambda c: over.is_set() and all_came(c, feed)(c)) for n in range(CLIENTS)]
    for resident in residents:
        resident.start()
    for number in (0, 1):
        time.sleep(1.5)
        old, stack.edges[number] = stack.edges[number], None
        stay = [resident for resident in residents if resident.is_alive()]
        assert len(stay) == CLIENTS, [resident.problem for resident in residents]
        old.process.stop()
        fresh = stack.edge(stack.nodes, name=f"edge{number}-again", config=stack.edge_config)
        fresh.wait_ready()
        stack.edges[number] = fresh
    time.sleep(1)
    feed.stop()
    over.set()
    for resident in residents:
        resident.join(30)
        assert not resident.is_alive() and resident.problem is None, resident.problem
        check(resident.client, feed)
        assert resident.moves >= 1, "told of at least the restart that came last"
    within = [message["within_ms"] for resident in residents for message in resident.client.moving]
    assert max(within) - min(within) > 500, "not all at once"
    told = [message.get("address") for resident in residents for message in resident.client.moving]
    assert all(told), "each was told where to go on"
