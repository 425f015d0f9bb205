"""What goes wrong, how long, and when not."""

import signal

PARTITIONS_ADDED = 2


class Fault:
    """Something that is done to one target and undone later. `weight`: its share of all, after one of each kind. What undoes
    it may answer False: not all of it is undone yet, ask again. `stops_all`: it is in its nature that nothing comes to anybody
    meanwhile; during any other one of some length, events have to flow."""

    def __init__(self, name, weight, seconds, targets, do, undo=lambda target: None, stops_all=False):
        self.name, self.weight, self.seconds, self.stops_all = name, weight, seconds, stops_all
        self.targets, self.do, self.undo = targets, do, undo


def kinds(world):
    """Targets are pairs of the names that have to be free, and then are taken, and an object for `do` and `undo`."""
    def each(nodes):
        return [((node.name,), node) for node in nodes]

    def ingests():
        return each(world.ingests)

    def edges():
        return each(world.edges)

    def all_but_one():
        return [(tuple(node.name for node in world.ingests if node is not stays), [n for n in world.ingests if n is not stays])
                for stays in world.ingests]

    def links():
        return [((f"{edge.name}~{ingest.name}",), (edge, ingest)) for edge in world.edges for ingest in world.ingests]

    def brokers():
        return [(("broker",), number) for number in world.cluster.numbers]  # one of them at a time

    def producer():
        return [(("producer",), None)]

    def kill(node):
        node.kill()

    def stop(node):
        node.ask_to_end()

    def again(node):
        node.start()

    def after_stop(node):
        return node.start_again()

    def scale_in(nodes):
        for node in nodes:
            node.ask_to_end()

    def scale_out(nodes):
        """One after the other, as a deployment does."""
        if not nodes[0].start_again():
            return False
        del nodes[0]
        return not nodes

    def pause(node):
        node.signal(signal.SIGSTOP)

    def go_on(node):
        node.signal(signal.SIGCONT)

    def link(what):
        return lambda pair: world.link(what, *pair)

    faults = [
        Fault("kill -9 of an ingest", 4, (0.2, 5), ingests, kill, again),
        Fault("an ingest stops in order", 1, (0.2, 5), ingests, stop, after_stop),
        Fault("an ingest freezes (SIGSTOP)", 2, (0.5, 8), ingests, pause, go_on),
        Fault("one ingest less for long", 1, (8, 15), ingests, stop, after_stop),
        Fault("one ingest alone, then all again", 1, (3, 6), all_but_one, scale_in, scale_out),
        Fault("kill -9 of an edge", 4, (0.2, 3), edges, kill, again),
        Fault("an edge stops in order", 1, (0.2, 3), edges, stop, after_stop),
        Fault("an edge freezes (SIGSTOP)", 1, (0.5, 5), edges, pause, go_on),
        Fault("a link is cut", 2, (0.2, 5), links, link("cut"), link("mend")),
        Fault("a link carries nothing", 2, (0.5, 8), links, link("stall"), link("mend")),
        Fault("transactions are aborted", 1, (0.5, 3), producer, lambda _: world.companion.abort_for(3)),
        Fault("a transaction stays open", 1, (0.5, 4), producer, lambda _: world.companion.hold_for(3),
              stops_all=True),
        Fault("partitions are added", 0.3, (0.1, 0.2), lambda: [(("broker", "topic"), None)],
              lambda _: world.add_partitions(PARTITIONS_ADDED)),
    ]
    if len(world.cluster.numbers) > 1:
        faults += [
            Fault("kill -9 of a broker", 2, (2, 10), brokers, world.cluster.kill, world.cluster.launch),
            Fault("a broker freezes (SIGSTOP)", 1, (1, 10), brokers, world.cluster.pause, world.cluster.resume),
        ]
    else:
        faults.append(Fault("the broker freezes (SIGSTOP)", 1, (1, 6), brokers, world.cluster.pause,
                            world.cluster.resume, stops_all=True))
    return faults
