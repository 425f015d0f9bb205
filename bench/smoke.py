"""A first measurement of the whole path, Kafka to WebSocket, in under two minutes."""

import statistics

from nodes import BenchError, Kafka, Stack

SCENARIOS = ("idle", "fanout", "path", "ingest")

IDLE_CLIENTS = 2000
PATH_RATE, PATH_SECONDS, PATH_WARMUP, PATH_BYTES = 500, 4, 1, 128
FANOUT_CLIENTS, FANOUT_RATE, FANOUT_SECONDS, FANOUT_WARMUP, FANOUT_BYTES = 1000, 50, 10, 2, 128
INGEST_RECORDS, INGEST_BYTES, INGEST_PARTITIONS, INGEST_EVERY = 500_000, 300, 4, 1000
# The broker inside ingest keeps 5 MiB of each partition and drops the rest without a word.
INGEST_RECORDS_EMBEDDED = 50_000

# (result, unit, digits) in the order of the table.
FIGURES = {
    "idle": [
        ("edge_pss_per_connection", "KiB", 2), ("edge_rss_per_connection", "KiB", 2),
        ("edge_cpu_per_connect", "us", 1), ("edge_idle_cpu", "% of a core", 1),
        ("ingest_idle_cpu", "% of a core", 1)],
    "path": [
        ("p50", "ms", 2), ("p99", "ms", 2), ("p999", "ms", 2), ("max", "ms", 2), ("kafka_p50", "ms", 2),
        ("kafka_p99", "ms", 2), ("edge_cpu_per_record", "us", 0),
        ("ingest_cpu_per_record", "us", 0), ("others_cpu", "% of a core", 0), ("late", "ms", 1)],
    "fanout": [
        ("deliveries_per_second", "/s", 0), ("p50", "ms", 2), ("p99", "ms", 2), ("p999", "ms", 2), ("max", "ms", 2),
        ("kafka_p50", "ms", 2), ("kafka_p99", "ms", 2), ("edge_cpu_per_delivery", "us", 2), ("edge_user_per_delivery", "us", 2),
        ("edge_system_per_delivery", "us", 2), ("ingest_cpu_per_record", "us", 0), ("edge_cpu", "% of a core", 0),
        ("ingest_cpu", "% of a core", 0), ("kafka_cpu", "% of a core", 0), ("load_cpu", "% of a core", 0),
        ("others_cpu", "% of a core", 0), ("late", "ms", 1)],
    "ingest": [
        ("records_per_second", "/s", 0), ("publish_per_second", "/s", 0), ("ingest_cpu_per_record", "us", 2),
        ("edge_cpu_per_record", "us", 2), ("ingest_cpu", "% of a core", 0), ("kafka_cpu", "% of a core", 0),
        ("load_cpu", "% of a core", 0), ("others_cpu", "% of a core", 0)],
}
TITLES = {
    "idle": f"idle: {IDLE_CLIENTS:,} clients connect with a token, subscribe to one channel each, and get nothing",
    "path": f"one client: {PATH_RATE} records/s of {PATH_BYTES} B, {PATH_SECONDS} s after {PATH_WARMUP} s of warm-up",
    "fanout": f"fan-out: {FANOUT_CLIENTS:,} clients on one channel, {FANOUT_RATE} records/s of {FANOUT_BYTES} B, "
              f"{FANOUT_SECONDS} s after {FANOUT_WARMUP} s of warm-up",
    "ingest": f"ingest: records of {INGEST_BYTES} B, {INGEST_PARTITIONS} partitions, a backlog in Kafka (embedded: as they come); "
              f"1 in {INGEST_EVERY:,} is for the one client",
}


def check(report, clients):
    """Wrong results are no results."""
    connect = report["connect"]
    if connect["upgraded"] != clients or connect["subscribed"] != clients:
        raise BenchError(f"{connect['upgraded']} of {clients} clients connected, {connect['subscribed']} are "
                         f"subscribed; first problem: {report['first_problem'] or 'time'}")


def idle(stack, _run):
    report = stack.load(clients=IDLE_CLIENTS, subscribe="load:idle.{i}", spread=100, idle=2)
    check(report, IDLE_CLIENTS)
    memory = report["memory"]["edge"]
    return {
        "edge_pss_per_connection": (memory["pss_after"] - memory["pss_before"]) / IDLE_CLIENTS / 1024,
        "edge_rss_per_connection": (memory["rss_after"] - memory["rss_before"]) / IDLE_CLIENTS / 1024,
        "edge_cpu_per_connect": report["connect"]["cpu"]["edge"]["seconds"] / IDLE_CLIENTS * 1e6,
        **{f"{name}_idle_cpu": used["seconds"] / report["idle"]["seconds"] * 100
           for name, used in report["idle"]["cpu"].items()},
    }, report


def correctness(report):
    return {name: report[name] for name in ("expected", "delivered", "lost", "duplicates_or_disorder", "gaps",
                                            "closed")}


def per_record(report, name):
    return report["window"]["cpu"][name]["seconds"] / max(1, report["window"]["records"]) * 1e6


def timed(report):
    """What every scenario with a rate has."""
    return {
        **{name: report["latency_us"][name] / 1000 for name in ("p50", "p99", "p999", "max")},
        **{f"kafka_{name}": report["confirmation_us"][name] / 1000 for name in ("p50", "p99")},
        "late": report["publish"]["max_late_us"] / 1000, "ingest_cpu_per_record": per_record(report, "ingest"),
        **shares(report), **correctness(report)}


def shares(report):
    """CPU in percent of a core; `others` is what has nothing to do with us, and disturbs."""
    window = report["window"]
    used = {name: times["seconds"] / window["seconds"] * 100 for name, times in window["cpu"].items()}
    machine = used.pop("machine")
    return {"others_cpu": max(0.0, machine - sum(used.values())),
            **{f"{name}_cpu": share for name, share in used.items()}}


def path(stack, run):
    report = stack.load(
        clients=1, subscribe="load:path", topic=f"path-{run}", channel="path", rate=PATH_RATE,
        records=PATH_RATE * (PATH_SECONDS + PATH_WARMUP), bytes=PATH_BYTES, warmup=PATH_WARMUP)
    check(report, 1)
    return {**timed(report), "edge_cpu_per_record": per_record(report, "edge")}, report


def fanout(stack, run):
    report = stack.load(
        clients=FANOUT_CLIENTS, subscribe="load:fan", topic=f"fan-{run}", channel="fan", rate=FANOUT_RATE,
        records=FANOUT_RATE * (FANOUT_SECONDS + FANOUT_WARMUP), bytes=FANOUT_BYTES, warmup=FANOUT_WARMUP)
    check(report, FANOUT_CLIENTS)
    window = report["window"]
    edge, deliveries = window["cpu"]["edge"], max(1, window["deliveries"])
    return {
        **timed(report),
        "deliveries_per_second": deliveries / window["seconds"],
        "edge_cpu_per_delivery": edge["seconds"] / deliveries * 1e6,
        "edge_user_per_delivery": edge["user"] / deliveries * 1e6,
        "edge_system_per_delivery": edge["system"] / deliveries * 1e6,
    }, report


def ingest(stack, run):
    records = INGEST_RECORDS if stack.kafka.cluster else INGEST_RECORDS_EMBEDDED
    report = stack.load(
        clients=1, subscribe="load:w", topic=f"bulk-{run}", partitions=INGEST_PARTITIONS, channel="w",
        records=records, bytes=INGEST_BYTES, every=INGEST_EVERY, linger_ms=5,
        **({"hold": "ingest"} if stack.kafka.cluster else {}))
    check(report, 1)
    window = report["window"]
    return {
        "records_per_second": records / window["seconds"],
        "publish_per_second": records / report["publish"]["seconds"],
        "ingest_cpu_per_record": per_record(report, "ingest"),
        "edge_cpu_per_record": per_record(report, "edge"),
        **shares(report), **correctness(report),
    }, report


MEASURE = {"idle": idle, "path": path, "fanout": fanout, "ingest": ingest}


def medians(runs):
    """{figure: {median, min, max}} of what every run has."""
    return {name: {"median": statistics.median(values), "min": min(values), "max": max(values)}
            for name in runs[0] for values in [[one[name] for one in runs]]}


def show(scenario, figures):
    print(f"\n{TITLES[scenario]}")
    for name, unit, digits in FIGURES[scenario]:
        if name not in figures:
            continue
        values = figures[name]
        text = {key: f"{value:,.{digits}f}" for key, value in values.items()}
        print(f"  {name.replace('_', ' '):28} {text['median']:>12} {unit:12} ({text['min']} to {text['max']})")
    if "expected" in figures:
        worst = {name: figures[name]["max"] for name in ("lost", "duplicates_or_disorder", "gaps", "closed")}
        print(f"  {'of ' + format(figures['expected']['median'], ',.0f') + ' deliveries':28} "
              f"lost {worst['lost']:,}, twice or out of order {worst['duplicates_or_disorder']:,}, "
              f"gaps {worst['gaps']:,}, connections lost {worst['closed']:,} (worst run)")


def run(root, build, options):
    """Runs the scenarios, prints the table and returns what goes into the file."""
    kafka = Kafka(root, build / "bench" / "kafka", options.kafka)
    print(f"Kafka: {kafka.name}", flush=True)
    results = {name: [] for name in options.only}
    raw = {name: [] for name in options.only}
    try:
        for number in range(1, options.runs + 1):
            topics = {f"path-{number}": 1, f"fan-{number}": 1, f"bulk-{number}": INGEST_PARTITIONS}
            with Stack(root, build, build / "bench" / "logs" / str(number), kafka, topics) as stack:
                for name in options.only:
                    print(f"run {number} of {options.runs}: {name}", flush=True)
                    figures, report = MEASURE[name](stack, number)
                    results[name].append(figures)
                    raw[name].append(report)
    finally:
        kafka.stop()
    summary = {name: medians(runs) for name, runs in results.items()}
    for name, figures in summary.items():
        show(name, figures)
    return {"kafka": kafka.name, "runs": options.runs, "figures": summary, "raw": raw}
