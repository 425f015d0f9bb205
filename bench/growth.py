"""How the cost grows: one parameter at a time, and plots of it.

Each entry of GROWTH is a parameter, the values that it takes, and the flags of spillway-load that a value means. The
rate is chosen so that the load on the edge stays about the same.
"""

import json

import figures as fig
import svg
from nodes import Stack
from scenarios import SCENARIOS, most_connections, scenario, stream

DELIVERIES = 50_000  # a second


def _one(context, edges=1, clients=1000, channels=1, per_client=1, size=128):
    with Stack(context, edges=edges) as stack:
        rate = DELIVERIES / (clients * per_client / channels)
        report = stack.load(clients=clients, connect_rate=4000, **context.times, stream=stream(
            channel="load:{n}", channels=channels, per_client=per_client, via="ephemeral", rate=f"{rate:g}", bytes=size))
        figures = {**fig.timed(report), **fig.connecting(report)}
        figures["ingest_cpu_per_event_and_edge"] = figures["ingest_cpu_per_event"] / edges
        return figures, report


@scenario("cost against connections: one channel, 50,000 deliveries/s in all")
def by_connections(context):
    for clients in (100, 300, 1000, 3000, 10_000, most_connections(18_000)):
        yield f"{clients}", *_one(context, clients=clients)


@scenario("cost against channels: 2,000 clients with one each, 50,000 deliveries/s in all")
def by_channels(context):
    for count in (1, 10, 100, 1000, 2000):
        yield f"{count}", *_one(context, clients=2000, channels=count)


@scenario("cost against message size: 1,000 clients on one channel, 50,000 deliveries/s")
def by_size(context):
    for size in (64, 256, 1024, 4096, 16_384):
        yield f"{size}", *_one(context, size=size)


@scenario("cost against edges: 4,000 clients on 100 channels in all, 50,000 deliveries/s in all")
def by_edges(context):
    for count in (1, 2, 4, 8):
        yield f"{count}", *_one(context, edges=count, clients=4000, channels=100)


# File, scenario, title, x, y, and the figures that are drawn with their names.
COST = {"edge_cpu_per_delivery": "edge", "edge_user_per_delivery": "of it user space",
        "ingest_cpu_per_delivery": "ingest"}
LATENCY = {"p50": "p50", "p99": "p99"}
PLOTS = (
    ("connections-cost", "by-connections", "CPU per delivery against connections", "connections", "us per delivery", COST),
    ("connections-latency", "by-connections", "Latency against connections", "connections", "ms", LATENCY),
    ("connections-memory", "by-connections", "Memory per connection", "connections", "KiB",
     {"edge_pss_per_connection": "edge, PSS"}),
    ("channels-cost", "by-channels", "CPU per delivery against channels", "channels", "us per delivery", COST),
    ("channels-latency", "by-channels", "Latency against channels", "channels", "ms", LATENCY),
    ("size-cost", "by-size", "CPU per delivery against message size", "bytes of a payload", "us per delivery", COST),
    ("size-latency", "by-size", "Latency against message size", "bytes of a payload", "ms", LATENCY),
    ("edges-cost", "by-edges", "CPU per delivery against edges", "edges", "us per delivery", COST),
    ("edges-ingest", "by-edges", "What an edge costs ingest", "edges", "us per event and edge",
     {"ingest_cpu_per_event_and_edge": "ingest"}),
)


def _runs(count):
    return "1 run" if count == 1 else f"{count} runs, median and spread"


def draw(results, target):
    """Plots of all results that are there, from BUILD/bench into `target`; the files written."""
    written = []
    for file, name, title, x_label, y_label, wanted in PLOTS:
        source = results / f"{name}.json"
        if not source.exists():
            continue
        result = json.loads(source.read_text(encoding="utf-8"))
        series = {}
        for figure, shown in wanted.items():
            series[shown] = [(float(case), values[figure]["median"], values[figure]["min"], values[figure]["max"])
                             for case, values in result["figures"].items() if figure in values]
        series = {shown: line for shown, line in series.items() if line}
        if not series:
            continue
        facts = result["machine"]
        note = (f"{_runs(result['runs'])}; {facts['cpu']}, {facts['cores']} cores; {result['cores']}; "
                f"commit {facts['commit']}")
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{file}.svg").write_text(svg.plot(title, x_label, y_label, series, note), encoding="utf-8")
        written.append(target / f"{file}.svg")
    return written


GROWTH = [name for name in SCENARIOS if name.startswith("by-")]
