"""What goes wrong, how long, and when not."""

import signal


class Fault:
    """Something that is done to one target and undone later. `kinds` lists them all, with how often they are chosen."""

    def __init__(self, name, weight, seconds, targets, do, undo):
        self.name, self.weight, self.seconds = name, weight, seconds
        self.targets, self.do, self.undo = targets, do, undo


def kinds(world):
    """Targets are pairs of a name, under which one fault at a time is at work, and an object."""
    def ingests():
        return [(node.name, node) for node in world.ingests]

    def edges():
        return [(node.name, node) for node in world.edges]

    def links():
        return [(f"{edge.name}~{ingest.name}", (edge, ingest)) for edge in world.edges for ingest in world.ingests]

    def brokers():
        return [("broker", number) for number in world.cluster.numbers]  # one of them at a time

    def kill(node):
        node.kill()

    def stop(node):
        code = node.terminate()
        if code != 0:
            raise AssertionError(f"{node.name} ended with {code} on SIGTERM")

    def again(node):
        node.start()

    def pause(node):
        node.signal(signal.SIGSTOP)

    def go_on(node):
        node.signal(signal.SIGCONT)

    def link(what):
        return lambda pair: world.link(what, *pair)

    faults = [
        Fault("kill -9 of an ingest", 4, (0.2, 5), ingests, kill, again),
        Fault("an ingest stops in order", 1, (0.2, 5), ingests, stop, again),
        Fault("an ingest freezes (SIGSTOP)", 2, (0.5, 8), ingests, pause, go_on),
        Fault("kill -9 of an edge", 4, (0.2, 3), edges, kill, again),
        Fault("an edge stops in order", 1, (0.2, 3), edges, stop, again),
        Fault("an edge freezes (SIGSTOP)", 1, (0.5, 5), edges, pause, go_on),
        Fault("a link is cut", 2, (0.2, 5), links, link("cut"), link("mend")),
        Fault("a link carries nothing", 2, (0.5, 8), links, link("stall"), link("mend")),
    ]
    if len(world.cluster.numbers) > 1:
        faults += [
            Fault("kill -9 of a broker", 2, (2, 10), brokers, world.cluster.kill, world.cluster.launch),
            Fault("a broker freezes (SIGSTOP)", 1, (1, 10), brokers, world.cluster.pause, world.cluster.resume),
        ]
    else:
        faults.append(Fault("the broker freezes (SIGSTOP)", 1, (1, 6), brokers, world.cluster.pause,
                            world.cluster.resume))
    return faults
