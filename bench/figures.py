"""What a report of spillway-load amounts to: named figures, their medians, and tables of them."""

import statistics

from nodes import BenchError

# Unit and digits of every figure, in the order of the tables. Those with None are checked, and shown when they are
# not what they should be.
FIGURES = {
    "deliveries_per_second": ("/s", 0),
    "p50": ("ms", 2), "p90": ("ms", 2), "p99": ("ms", 2), "p999": ("ms", 2), "max": ("ms", 1),
    "quotes_p50": ("ms", 2), "quotes_p99": ("ms", 2), "fills_p50": ("ms", 2), "fills_p99": ("ms", 2),
    "recovery_p50": ("s", 2), "recovery_p99": ("s", 2), "recovery_max": ("s", 2), "recovery_seconds": ("s", 2),
    "resumes_per_second": ("/s", 0), "reads": ("", 0), "reread_ratio": ("", 2),
    "quotes_max": ("ms", 1), "fills_max": ("ms", 1), "slow_p50": ("ms", 0),
    "kafka_p50": ("ms", 2), "kafka_p99": ("ms", 2), "confirmed_p50": ("ms", 2), "confirmed_p99": ("ms", 2),
    "edge_cpu_per_delivery": ("us", 2), "edge_user_per_delivery": ("us", 2), "edge_system_per_delivery": ("us", 2),
    "ingest_cpu_per_delivery": ("us", 2), "both_cpu_per_delivery": ("us", 2),
    "ingest_cpu_per_event": ("us", 2), "ingest_cpu_per_event_and_edge": ("us", 2),
    "records_per_second": ("/s", 0), "published_per_second": ("/s", 0), "ingest_cpu_per_record": ("us", 2),
    "edge_cpu_per_record": ("us", 2),
    "deliveries_per_read": ("", 1), "wire_bytes_per_delivery": ("B", 0),
    "wire_bytes_per_second": ("MiB/s", 2),
    "edge_pss_per_connection": ("KiB", 2), "edge_rss_per_connection": ("KiB", 2), "kernel_per_connection": ("KiB", 2),
    "client_pss_per_connection": ("KiB", 2), "edge_pss_growth": ("MiB", 1),
    "edge_cpu_per_connect": ("us", 1), "connect_seconds": ("s", 2), "connect_p50": ("ms", 2), "connect_p99": ("ms", 2),
    "refused": ("", 0), "ended_seconds": ("s", 2), "ended_cpu": ("s", 2),
    "edge_idle_cpu": ("% of a core", 2), "ingest_idle_cpu": ("% of a core", 2),
    "edge_cpu": ("% of a core", 0), "ingest_cpu": ("% of a core", 0), "kafka_cpu": ("% of a core", 0),
    "load_cpu": ("% of a core", 0), "load_cpu_per_delivery": ("us", 2), "foreign_cpu": ("% of a core", 0),
    "edge_waited": ("% of the time", 0),
    "publisher_late_p99": ("ms", 2),
    "expected": None, "lost": None, "duplicates": None, "out_of_order": None, "unexpected": None, "told_lost": None, "told_gaps": None,
    "errors": None, "connections_lost": None,
}
# What variants are compared by; the rest of the figures says how far these can be trusted.
COSTS = ("deliveries_per_second", "records_per_second", "p50", "p99", "edge_cpu_per_delivery", "edge_user_per_delivery",
         "ingest_cpu_per_event", "both_cpu_per_delivery", "edge_pss_per_connection", "edge_cpu_per_connect", "connect_p50",
         "edge_idle_cpu", "edge_cpu", "ingest_cpu")
CHECKS = [name for name, how in FIGURES.items() if how is None]


def tier(report_section, name):
    """Sum over the processes of a tier (edge, or edge0, edge1, ...) in a report's table by process."""
    total = {}
    for process, values in report_section.items():
        if process == name or (process.startswith(name) and process[len(name):].isdigit()):
            for key, value in values.items():
                if isinstance(value, (int, float)):
                    total[key] = total.get(key, 0) + value
    return total


def connected(report):
    """Wrong results are no results."""
    connect = report["connect"]
    if connect["ready"] != connect["clients"]:
        raise BenchError(f"{connect['ready']} of {connect['clients']} clients are connected and subscribed; first "
                         f"problem: {report['checks']['first_problem'] or 'time'}")


def checks(report):
    return {name: report["checks"][name] for name in CHECKS}


def connecting(report, count=None):
    connect, memory = report["connect"], report["memory"]
    count = count or connect["clients"]
    kernel = memory["kernel"]
    edge = tier(memory, "edge")
    return {
        "edge_pss_per_connection": (edge["pss_after"] - edge["pss_before"]) / count / 1024,
        "edge_rss_per_connection": (edge["rss_after"] - edge["rss_before"]) / count / 1024,
        "kernel_per_connection": (kernel["slab_per_client"] + kernel["tcp_per_client"]) / 1024,
        "client_pss_per_connection": memory["load"]["pss_per_client"] / 1024,
        "edge_cpu_per_connect": tier(connect["cpu"], "edge")["seconds"] / count * 1e6,
        "connect_seconds": connect["seconds"],
        "connect_p50": report["connect_us"]["p50"] / 1000, "connect_p99": report["connect_us"]["p99"] / 1000}


def confirmed(report):
    """From when a publication was due until its answer, whoever published."""
    for name in ("client_confirmation_us", "publish_confirmation_us"):
        if name in report["publish"]:
            return {f"confirmed_{key}": report["publish"][name][key] / 1000 for key in ("p50", "p99")}
    raise BenchError("nothing was confirmed")


def latency(report, stream="all", prefix=""):
    return {prefix + name: report["latency_us"][stream][name] / 1000 for name in ("p50", "p90", "p99", "p999", "max")}


def window(report):
    """What every scenario with a rate has."""
    values = report["window"]
    deliveries = max(1, values["deliveries"])
    cost = {name: tier(values["cpu_us_per_delivery"], name) for name in ("edge", "ingest")} \
        if "cpu_us_per_delivery" in values else {}
    figures = {
        "deliveries_per_second": values["deliveries_per_second"],
        "deliveries_per_read": values["deliveries_per_read"],
        "wire_bytes_per_delivery": values["bytes"] / deliveries,
        "ingest_cpu_per_event": tier(values["cpu"], "ingest").get("seconds", 0) / max(1, values["published"]) * 1e6,
        "publisher_late_p99": max((stream["late_us"]["p99"] for stream in report["publish"]["streams"].values()),
                                  default=0) / 1000}
    if cost:
        figures.update({
            "edge_cpu_per_delivery": cost["edge"].get("total", 0),
            "edge_user_per_delivery": cost["edge"].get("user", 0),
            "edge_system_per_delivery": cost["edge"].get("system", 0),
            "ingest_cpu_per_delivery": cost["ingest"].get("total", 0),
            "both_cpu_per_delivery": cost["edge"].get("total", 0) + cost["ingest"].get("total", 0),
            "load_cpu_per_delivery": values["cpu_us_per_delivery"]["load"]["clients"]})
    for name in ("edge", "ingest", "kafka"):
        used = tier(values["cpu"], name)
        if used:
            figures[f"{name}_cpu"] = used["percent"]
    # The load tool's publisher may have ended within the window, and the scheduler's times with it: ticks have it still.
    own = values["cpu"]["load"]["user"] + values["cpu"]["load"]["system"]
    others = sum(used["seconds"] for name, used in values["cpu"].items() if name not in ("load", "machine", "foreign"))
    figures["load_cpu"] = own / values["seconds"] * 100
    figures["foreign_cpu"] = max(0, values["cpu"]["machine"]["seconds"] - own - others) / values["seconds"] * 100
    waited = tier(values["cpu"], "edge")
    if waited:
        figures["edge_waited"] = waited["waited"] / values["seconds"] * 100
    confirmation = report["publish"].get("kafka_confirmation_us")
    if confirmation:
        figures.update({f"kafka_{name}": confirmation[name] / 1000 for name in ("p50", "p99")})
    return figures


def timed(report):
    connected(report)
    return {**latency(report), **window(report), **checks(report)}


def summary(runs):
    """{figure: {median, min, max, values}} of what every run has."""
    common = [name for name in runs[0] if all(name in run for run in runs)]
    return {name: {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}
            for name in common for values in [[run[name] for run in runs]]}


def table(title, cases):
    """The lines of a table: figures down, median and spread of each case across."""
    lines = ["", title]
    shown = [name for name, how in FIGURES.items() if how and any(name in case for case in cases.values())]
    for case, figures in cases.items():
        lines.append(f"  {case}" if case else "  ")
        for name in shown:
            if name not in figures:
                continue
            unit, digits = FIGURES[name]
            text = {key: f"{figures[name][key]:,.{digits}f}" for key in ("median", "min", "max")}
            lines.append(f"    {name.replace('_', ' '):30} {text['median']:>12} {unit:13} ({text['min']} to {text['max']})")
        if "expected" in figures:
            worst = {name: figures[name]["max"] for name in CHECKS if name in figures}
            bad = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in worst.items()
                            if name != "expected" and value)
            lines.append(f"    {'of ' + format(figures['expected']['median'], ',.0f') + ' deliveries':30} "
                         f"{bad or 'none lost, twice, or out of order'}{' (worst run)' if bad else ''}")
    return lines


def ratios(title, runs, plain):
    """The lines that set a variant beside the plain runs of the same case: the median of each pair's ratio."""
    lines = [f"  {title}, as a part of the plain run"]
    for name in COSTS:
        pairs = [(one[name], other[name]) for one, other in zip(runs, plain) if name in one and name in other]
        values = [one / other for one, other in pairs if other]
        if values:
            lines.append(f"    {name.replace('_', ' '):30} {statistics.median(values):>12.2f}               "
                         f"({min(values):.2f} to {max(values):.2f})")
    return lines
