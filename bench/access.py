"""What access and control cost: an HTTP service that is asked about clients, what clients publish, clients that are
refused in crowds, and clients that an operator ends."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

import figures as fig
from nodes import BenchError, Stack, child
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
    with Stack(context, topics, edge=edge, real_kafka=topic, ingest_on="server" if topic else "load") as stack:
        to = {"topic": stack.topic("load"), "partitions": 4} if topic else {}
        report = stack.load(clients=1000, connect_rate=4000, **context.times, **flags,
                            stream=stream(channel="load:{n}", channels=1000, via=via, rate=rate, **to))
        return {**fig.timed(report), **fig.confirmed(report)}, report


@scenario("publishing to 1,000 channels with a client each, by 100 further clients, beside one stream of the publish API: 5,000/s straight to subscribers, 1,000/s durably")
def client_publish(context):
    # Durably nearly each is a request of its own to Kafka, which shares a core with the load, as ingest does with the edge.
    for case, topic, rate in (("straight to subscribers", False, 5000), ("durable", True, 1000)):
        yield f"{case}, publish API", *_published(context, "durable" if topic else "ephemeral", rate, topic)
        yield f"{case}, clients", *_published(context, "socket", rate, topic, publishers=100)


@scenario("what others notice of a storm: 200 clients stay, with 10,000 deliveries/s, while others connect at 3,000/s and 500/s are let in")
def storm_beside(context):
    limits = {"handshakes": {"count": 500, "per": "1s", "burst": 1000}}
    with Stack(context, edge={"limits": limits}) as stack:
        for case in ("before", "in the storm"):
            with concurrent.futures.ThreadPoolExecutor(1) as other:
                inside = other.submit(stack.load, clients=200, connect_rate=400, warmup=2, seconds=8, silence=1,
                                      stream=stream(channel="live", via="ephemeral", rate=50))
                while stack.edge.metric("spillway_edge_connections") < 200 and not inside.done():
                    time.sleep(0.05)
                while case == "in the storm" and not inside.done():
                    # Those who are refused are not counted as an error here: it is what they are for.
                    stack.load(clients=6000, connect_rate=3000, connect_timeout=3, warmup=0, seconds=0, silence=0,
                               stream=stream(channel="load:{n}", channels=100))
                report = inside.result()
            fig.connected(report)
            refused = stack.edge.metric("spillway_edge_admissions_refused_total")
            yield case, {**fig.latency(report), "refused": refused, **fig.checks(report)}, report


def _call(node, method, **request):
    """A call of the admin API on the operations port; its answer."""
    asked = urllib.request.Request(f"http://{node.addresses['ops']}/spillway.v1.AdminService/{method}",
                                   json.dumps(request).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)


def _cpu(pid):
    """Seconds of CPU that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@scenario("an operator ends 15,000 connections of one edge by one call")
def disconnect(context):
    clients = most_connections(15_000)
    for method, request in (("Disconnect", {"all": True}), ("BlockIp", {"ip": "127.0.0.0/8", "ttlMs": 60_000})):
        with Stack(context, edge={"admin": {"listen": "127.0.0.1:0", "http": True}}) as stack, \
                concurrent.futures.ThreadPoolExecutor(1) as other:
            load = other.submit(stack.load, clients=clients, connect_rate=4000, warmup=0, seconds=12, silence=0.5,
                                stream=stream(channel="load:{n}", channels=100))
            deadline = time.monotonic() + 60
            while stack.edge.metric("spillway_edge_connections") < clients:
                if load.done() or time.monotonic() > deadline:
                    raise BenchError("the clients are not connected")
                time.sleep(0.05)
            time.sleep(1)
            before, began = _cpu(stack.edge.pid), time.monotonic()
            _call(stack.edge, method, **request)
            while stack.edge.metric("spillway_edge_connections") > 0:
                time.sleep(0.02)
            yield method, {"ended_seconds": time.monotonic() - began, "ended_cpu": _cpu(stack.edge.pid) - before}, load.result()
