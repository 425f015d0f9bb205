"""What access costs: an HTTP service that is asked about clients, and what clients publish."""

import contextlib
import pathlib
import subprocess
import sys

import figures as fig
from nodes import Stack, child
from scenarios import most_connections, scenario, stream


@contextlib.contextmanager
def _auth_service(context):
    """A service that lets everybody in, beside the load; its URL."""
    command = [sys.executable, str(pathlib.Path(__file__).with_name("auth_service.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          preexec_fn=child(context.cores.load)) as service:
        try:
            yield f"http://127.0.0.1:{int(service.stdout.readline())}/"
        finally:
            service.stdin.close()


@scenario("15,000 clients connect, 1,000 a second, each with a token, on one of 100 channels: an HTTP service is asked about each, has been asked, or there is none")
def connect_asked(context):
    clients = most_connections(15_000)
    with _auth_service(context) as url:
        # The same token is the same question: its answer is kept.
        for case, service, sub in (("no service", {}, "u{i}"), ("asked", {"url": url}, "u{i}"), ("kept", {"url": url}, "u1")):
            edge = {"auth_service": service}
            with Stack(context, edge=edge) as stack:
                report = stack.load(clients=clients, connect_rate=1000, warmup=0, seconds=1, silence=0.5,
                                    jwt_claims=f'{{"sub":"{sub}"}}', stream=stream(channel="load:{n}", channels=100))
                fig.connected(report)
                yield case, {**fig.connecting(report), **fig.checks(report)}, report


def _published(context, via, rate, topic=False, **flags):
    """1,000 clients with a channel each, to which events are published."""
    publish = {"access": "authenticated"}
    topics = {"load": {"partitions": 4, "channel": "load:{/c}"}}

    def edge(stack):
        if topic:
            publish["topic"] = stack.topic("load")
        return {"channels": [{"pattern": "load:*", "publish": publish}], "publish": {"connection_in_flight": 1000}}
    with Stack(context, topics, edge=edge, real_kafka=topic) as stack:
        to = {"topic": stack.topic("load"), "partitions": 4} if topic else {}
        report = stack.load(clients=1000, connect_rate=4000, **context.times, **flags,
                            stream=stream(channel="load:{n}", channels=1000, via=via, rate=rate, **to))
        return {**fig.timed(report), **fig.confirmed(report)}, report


@scenario("publishing: 5,000 events/s to 1,000 channels with a client each, by 100 further clients, beside one stream of the publish API")
def client_publish(context):
    rate = 5000
    for case, topic in (("straight to subscribers", False), ("durable", True)):
        yield f"{case}, publish API", *_published(context, "durable" if topic else "ephemeral", rate, topic)
        yield f"{case}, clients", *_published(context, "socket", rate, topic, publishers=100)
