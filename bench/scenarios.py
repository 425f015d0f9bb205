"""The scenarios of bench/run: what is started, what is published, what is read from the reports.

Each scenario is a function of a Context and yields (case, figures, report) for each of its cases; one call is one
run, with processes of its own.
"""

import concurrent.futures
import resource
import subprocess
import time

import figures as fig
from nodes import BenchError, Stack

SCENARIOS = {}

def scenario(title):
    """Registers a scenario under its function's name, with '-' for '_'."""
    def register(function):
        function.title = title
        SCENARIOS[function.__name__.replace("_", "-")] = function
        return function
    return register


def most_connections(wish):
    """As many as one process may have descriptors for."""
    return min(wish, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000)


# What may be left out for those who do not read, in `slow`; in `burst`, quotes give way to fills.
SLOW_EDGE = {"channels": [{"pattern": "load:*", "slow": "conflate"}]}
BURST_EDGE = {"channels": [{"pattern": "quotes:*", "slow": "conflate"}, {"pattern": "fills:*", "priority": "high"}]}
# Where clients that come back get what they missed from: what ingest keeps decides.
RECOVERED_FROM = (("from the log", {}), ("from Kafka", {"bytes_per_partition": "64KiB"}))


def stream(**keys):
    return ",".join(f"{key}={value}" for key, value in keys.items())


def _timed(stack, **flags):
    report = stack.load(**{**stack.context.times, "connect_rate": 4000, **flags})
    return fig.timed(report), report


@scenario("15,000 clients, each with a token and a channel of its own, and no events")
def idle(context):
    clients = most_connections(15_000)
    with Stack(context) as stack:
        report = stack.load(clients=clients, connect_rate=3000, idle=5, warmup=0, seconds=0, silence=0,
                            stream=stream(channel="load:{n}", channels=clients))
        fig.connected(report)
        used = report["idle"]["cpu"]
        yield "", {**fig.connecting(report),
                   "edge_idle_cpu": fig.tier(used, "edge")["percent"],
                   "ingest_idle_cpu": fig.tier(used, "ingest")["percent"]}, report


@scenario("connect storm: 15,000 clients as fast as they can, each with a token, on one of 100 channels")
def storm(context):
    clients = most_connections(15_000)
    with Stack(context) as stack:
        report = stack.load(clients=clients, connect_rate=0, unfinished=1000, warmup=0, seconds=1, silence=0.5,
                            stream=stream(channel="load:{n}", channels=100))
        fig.connected(report)
        yield "", {**fig.connecting(report), **fig.checks(report)}, report


@scenario("15,000 clients connect, each with a token and a channel of its own that 4 partitions feed")
def connect_private(context):
    clients = most_connections(15_000)
    for rate, case in ((1000, "1,000 a second"), (0, "as fast as they can")):
        with Stack(context, {"load": {"partitions": 4, "channel": "load:{/c}"}}) as stack:
            report = stack.load(clients=clients, connect_rate=rate, unfinished=1000, warmup=0, seconds=1, silence=0.5,
                                stream=stream(channel="load:{n}", channels=clients))
            fig.connected(report)
            yield case, {**fig.connecting(report), **fig.checks(report)}, report


@scenario("fan-out: 1,000 clients on one channel, payloads of 128 B, ephemeral")
def fan_out(context):
    for rate in (50, 200):
        with Stack(context) as stack:
            yield f"{rate * 1000:,} deliveries/s", *_timed(
                stack, clients=1000, stream=stream(channel="load:0", via="ephemeral", rate=rate))


@scenario("fan-out, overloaded: one channel, payloads of 128 B, more published than one core can deliver")
def fan_out_most(context):
    for clients, rate in ((1000, 6000), (5000, 1000), (most_connections(15_000), 250)):
        with Stack(context) as stack:
            report = stack.load(clients=clients, connect_rate=4000, silence=1, **context.times,
                                stream=stream(channel="load:0", via="ephemeral", rate=rate))
            fig.connected(report)
            yield f"{clients:,} clients", {**fig.window(report), **fig.checks(report)}, report


@scenario("many channels: 15,000 clients with 5 of 1,000 channels each, 128 B, ephemeral")
def channels(context):
    clients = most_connections(15_000)
    for deliveries in (75_000, 150_000):
        with Stack(context) as stack:
            rate = deliveries / (clients * 5 / 1000)
            yield f"{deliveries:,} deliveries/s", *_timed(
                stack, clients=clients,
                stream=stream(channel="load:{n}", channels=1000, per_client=5, via="ephemeral", rate=round(rate)))


@scenario("a private channel for each of 1,000 clients, records of 300 B in Kafka")
def private(context):
    for rate in (10_000, 50_000):
        with Stack(context, {"load": {"partitions": 4, "channel": "load:{/c}"}}, real_kafka=True,
                   ingest_on="server") as stack:
            yield f"{rate:,} records/s", *_timed(stack, clients=1000, kafka="linger.ms=1", stream=stream(
                channel="load:{n}", channels=1000, via="kafka", topic=stack.topic("load"), partitions=4, bytes=300,
                rate=rate))


@scenario("Kafka to 1,000 clients on 100 channels, records of 128 B; ingest and edge on one core")
def kafka(context):
    for deliveries in (20_000, 50_000):
        with Stack(context, {"load": {"partitions": 4, "channel": "load:{/c}"}}, real_kafka=True,
                   ingest_on="server") as stack:
            yield f"{deliveries:,} deliveries/s", *_timed(stack, clients=1000, stream=stream(
                channel="load:{n}", channels=100, via="kafka", topic=stack.topic("load"), partitions=4,
                rate=deliveries // 10))


@scenario("a backlog in Kafka: 1,000,000 records of 300 B, 4 partitions, 1 in 1,000 for the one client; ingest on its own core")
def backlog(context):
    with Stack(context, {"load": {"partitions": 4, "channel": "load:{/c}"}}, real_kafka=True, ingest_on="server",
               edge_on="load") as stack:
        # The broker inside ingest keeps 5 MiB of a partition, and stands still with ingest.
        count = 1_000_000 if stack.cluster else 50_000
        report = stack.load(clients=1, warmup=0, kafka="linger.ms=5", silence=5, stream=stream(
            channel="load:{n}", channels=1000, via="kafka", topic=stack.topic("load"), partitions=4, bytes=300,
            count=count), **({"hold": "ingest"} if stack.cluster else {}))
        fig.connected(report)
        window = report["window"]
        cpu = {name: fig.tier(window["cpu"], name)["seconds"] / count * 1e6 for name in ("ingest", "edge")}
        yield "", {
            "records_per_second": count / window["seconds"],
            "ingest_cpu_per_record": cpu["ingest"], "edge_cpu_per_record": cpu["edge"],
            **{name: value for name, value in fig.window(report).items() if name.endswith("_cpu")},
            **fig.checks(report)}, report


@scenario("light load: one event at a time to one of 100 clients, ephemeral by gRPC")
def light(context):
    with Stack(context) as stack:
        yield "500 events/s", *_timed(stack, clients=100, stream=stream(
            channel="load:{n}", channels=100, via="ephemeral", rate=500))


def _certificate(context):
    """A certificate for 127.0.0.1 that signs itself; (certificate, key). P-256, as public sites have it."""
    folder = context.out / "tls"
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key]
    made = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if made.returncode:
        raise BenchError(f"openssl cannot make a certificate: {made.stderr.strip()}")
    return certificate, key


@scenario("TLS: 15,000 idle clients; 15,000 more handshakes with resumed sessions; fan-out to 1,000 clients, 50,000 deliveries/s")
def tls(context):
    certificate, key = _certificate(context)
    edge = {"tls": {"cert_file": str(certificate), "key_file": str(key)}}
    clients = most_connections(15_000)
    one = stream(channel="load:{n}", channels=100)
    for case, resume in (("idle, full handshakes", "false"), ("idle, resumed sessions", "true")):
        with Stack(context, edge=edge) as stack:
            report = stack.load("wss", clients=clients, connect_rate=1000, connect_timeout=120, idle=3, warmup=0, seconds=0,
                                silence=0, tls_ca=certificate, tls_resume=resume, stream=one)
            fig.connected(report)
            yield case, fig.connecting(report), report
    with Stack(context, edge=edge) as stack:
        report = stack.load("wss", clients=1000, connect_rate=1000, **context.times, tls_ca=certificate,
                            stream=stream(channel="load:0", via="ephemeral", rate=50))
        yield "fan-out", fig.timed(report), report


@scenario("compressed: 15,000 idle clients that negotiated it; fan-out to 1,000, payloads of 512 B, 50,000 deliveries/s, with and without")
def compressed(context):
    always = {"compression": {"mode": "always"}}
    clients = most_connections(15_000)
    with Stack(context, endpoint=always) as stack:
        report = stack.load(clients=clients, connect_rate=3000, idle=3, warmup=0, seconds=0, silence=0, deflate="inflate",
                            stream=stream(channel="load:{n}", channels=100))
        fig.connected(report)
        yield "idle", fig.connecting(report), report
    events = stream(channel="load:0", via="ephemeral", rate=50, bytes=512, fill="text")
    for case, deflate in (("plain", "off"), ("compressed", "inflate")):
        with Stack(context, endpoint=always) as stack:
            yield case, *_timed(stack, clients=1000, deflate=deflate, stream=events)


@scenario("1 % of 10,000 clients on 100 channels stop reading for most of the time; the others beside a run in which none does")
def slow(context):
    clients = most_connections(10_000)
    for case, share in (("all read", 0), ("1 % do not", 0.01)):
        with Stack(context, edge=SLOW_EDGE) as stack:
            times = context.times
            report = stack.load(clients=clients, connect_rate=4000, **times, slow_share=share, slow_after=times["warmup"] / 2,
                                slow_for=times["seconds"], slow_buffer=16_384, stream=stream(
                                    channel="load:{n}", channels=100, via="ephemeral", rate=500, keys=10))
            fig.connected(report)
            edge = fig.tier(report["window"]["memory"], "edge")
            figures = {**fig.latency(report), **fig.window(report), **fig.checks(report),
                       "edge_pss_growth": (edge["pss_after"] - fig.tier(report["memory"], "edge")["pss_after"]) / 2 ** 20}
            yield case, figures, report


@scenario("a burst: quotes on 5 of 100 channels at 10 times their rate for 3 s, private fills on the same 1,000 connections")
def burst(context):
    topics = {"quotes": {"partitions": 4, "channel": "quotes:{/c}", "emit": {"key": "{/k}"}},
              "fills": {"partitions": 4, "channel": "fills:{/c}"}}
    # By the publish API it is the edge that the burst is too much for; with few cores by Kafka it is the broker.
    for via in ("ephemeral", "kafka"):
        with Stack(context, topics, real_kafka=via == "kafka", edge=BURST_EDGE) as stack:
            warmup = context.times["warmup"]
            way = {name: {"via": via, "topic": stack.topic(name), "partitions": 4} if via == "kafka" else {"via": via}
                   for name in topics}
            streams = ";".join((
                stream(name="quotes", channel="quotes:{n}", channels=100, per_client=5, keys=20, **way["quotes"], rate=400,
                       burst=10, burst_at=warmup + 2, burst_for=3),
                stream(name="fills", channel="fills:{n}", channels=1000, **way["fills"], rate=500)))
            report = stack.load(clients=1000, connect_rate=4000, warmup=warmup, seconds=8, stream=streams)
            fig.connected(report)
            figures = {**fig.window(report), **fig.checks(report)}
            for name in topics:
                figures.update({f"{name}_{key}": report["latency_us"][name][key] / 1000 for key in ("p50", "p99", "max")})
            yield {"ephemeral": "publish API", "kafka": "Kafka"}[via], figures, report


@scenario("update frequency: 1,000 clients on 5 of 50 channels each, 2 keys a channel, 100,000 events for them a second; all subscribed at one frequency")
def lanes(context):
    for frequency in ("high", "normal", "low", "background"):
        with Stack(context, edge={"channels": [{"pattern": "load:*", "frequency": frequency}]}) as stack:
            report = stack.load(clients=1000, connect_rate=4000, **context.times, silence=6, stream=stream(
                channel="load:{n}", channels=50, per_client=5, keys=2, via="ephemeral", rate=1000))
            fig.connected(report)
            figures = {**fig.window(report), **fig.checks(report)}
            figures["wire_bytes_per_second"] = report["window"]["bytes"] / report["window"]["seconds"] / 2 ** 20
            # Of a lane's messages latency is mostly the wait for its time; what is skipped is what it is for.
            del figures["lost"]
            yield frequency, figures, report


@scenario("several edges on one machine: 4,000 clients on 100 channels in all, 100,000 deliveries/s")
def edges(context):
    for count in (1, 2, 4, 8):
        with Stack(context, edges=count) as stack:
            figures, report = _timed(stack, clients=4000, stream=stream(
                channel="load:{n}", channels=100, via="ephemeral", rate=2500))
            yield f"{count} edge{'s' if count > 1 else ''}", {
                **figures, "ingest_cpu_per_event_and_edge": figures["ingest_cpu_per_event"] / count}, report


@scenario("clients that come back: 15,000 on 100 channels are cut off, and within 5 s back at two edges, each 500 messages behind")
def recovery(context):
    clients = most_connections(15_000)
    rate, missed = 200, 500 * 100  # distinct records: those of all channels
    for case, history in RECOVERED_FROM:
        # By the broker inside ingest: what is measured are the edges and ingest's history, not how a broker takes a burst.
        with Stack(context, {"load": {"partitions": 4, "channel": "load:{/c}"}}, edges=2, ingest={"history": history}) as stack:
            report = stack.load(clients=clients, connect_rate=4000, warmup=1, seconds=25, silence=5, resume="true", cut_at=1,
                                cut_for=5, reconnect=5, kafka="linger.ms=5", stream=stream(
                                    channel="load:{n}", channels=100, via="kafka", topic=stack.topic("load"), partitions=4,
                                    rate=rate, burst=missed // 5 // rate, burst_at=1, burst_for=5))
            yield case, {**_recovered(stack, report, clients), **fig.window(report),
                         "reread_ratio": stack.ingest.metric("spillway_ingest_reread_records_total") / missed}, report


@scenario("what others notice of that: 200 clients stay, with 10,000 deliveries/s, while 15,000 are cut off and come back within 5 s")
def recovery_beside(context):
    clients = most_connections(15_000)
    rate, missed, cut_at, cut_for = 200, 500 * 100, 20, 5
    with Stack(context, {"load": {"partitions": 4, "channel": "load:{/c}"}}, edges=2) as stack:
        with concurrent.futures.ThreadPoolExecutor(1) as others:
            back = others.submit(
                stack.load, clients=clients, connect_rate=4000, warmup=1, seconds=cut_at + 25, silence=5, resume="true",
                cut_at=cut_at, cut_for=cut_for, reconnect=5, kafka="linger.ms=5", stream=stream(
                    channel="load:{n}", channels=100, via="kafka", topic=stack.topic("load"), partitions=4, rate=rate,
                    burst=missed // 5 // rate, burst_at=cut_at, burst_for=5))
            deadline = time.monotonic() + 60
            while sum(edge.metric("spillway_edge_connections") for edge in stack.edges) < clients:
                if back.done() or time.monotonic() > deadline:
                    raise BenchError("the clients that are to come back are not connected")
                time.sleep(0.05)
            began = time.monotonic()
            for case, at in (("before", 4), ("while they come back", cut_at + cut_for - 2)):
                time.sleep(max(0.0, began + at - time.monotonic()))
                report = stack.load(clients=200, connect_rate=4000, warmup=2, seconds=8, silence=1, stream=stream(
                    channel="live", via="ephemeral", rate=50))
                fig.connected(report)
                yield case, {**fig.latency(report), **fig.checks(report)}, report
            _recovered(stack, back.result(), clients)


@scenario("resumes: 10,000 clients with a channel each come back at once, each a few events behind")
def resumes(context):
    clients = most_connections(10_000)
    for case, history in RECOVERED_FROM:
        with Stack(context, {"load": {"partitions": 4, "channel": "load:{/c}"}}, edges=2, ingest={"history": history}) as stack:
            report = stack.load(clients=clients, connect_rate=4000, warmup=1, seconds=20, silence=5, resume="true", cut_at=8,
                                cut_for=2, kafka="linger.ms=5", stream=stream(
                                    channel="load:{n}", channels=clients, via="kafka", topic=stack.topic("load"),
                                    partitions=4, rate=clients // 2))
            figures = _recovered(stack, report, clients)
            yield case, {**figures, "resumes_per_second": clients / figures["recovery_seconds"], **fig.window(report)}, report


def _recovered(stack, report, clients):
    fig.connected(report)
    recovery = report["recovery_us"]
    if recovery["recovered"] != clients:
        raise BenchError(f"{recovery['recovered']} of {clients} clients caught up")
    return {**{f"recovery_{name}": recovery[name] / 1e6 for name in ("p50", "p99", "max")},
            "recovery_seconds": recovery["seconds"], "reads": stack.ingest.metric("spillway_ingest_reads_total"),
            **fig.checks(report)}


@scenario("a crowd: 100,000 clients on 100 channels, six edges, 20,000 deliveries/s")
def crowd(context):
    count = -(-100_000 // most_connections(17_000))
    with Stack(context, edges=count) as stack:
        report = stack.load(clients=100_000, connect_rate=5000, connect_timeout=120, idle=3, **context.times, stream=stream(
            channel="load:{n}", channels=100, via="ephemeral", rate=20))
        fig.connected(report)
        yield f"{count} edges", {**fig.timed(report), **fig.connecting(report)}, report
