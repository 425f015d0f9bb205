#!/usr/bin/env python3
"""Checks that every include follows the layer rules below: check_layers.py [ROOT].

A module is a folder such as services/edge/hub; files directly in a service's folder belong to its `app`.
"""

import os
import re
import sys

import tree

# What each module of a service may include of the same service, besides itself.
EDGE = {
    "frame": [],
    "timer": [],
    "dialect": ["frame"],
    "hub": ["dialect", "frame", "timer"],
    "session": ["hub", "dialect", "frame", "timer"],
    "auth": ["session"],
    "ws": ["session", "hub", "dialect", "frame", "timer"],
    "net": ["ws", "session", "hub", "dialect", "frame", "timer"],
    "upstream": ["hub", "dialect", "frame", "timer"],
    "control": ["net", "ws", "session", "hub", "dialect", "frame", "timer", "upstream"],
    "app": ["*"],
}
INGEST = {
    "normalise": [],
    "history": ["normalise"],
    "kafka": ["normalise", "history"],
    "link": ["history", "normalise"],
    "shard": ["link", "kafka", "history", "normalise"],
    "control": ["link", "kafka", "history", "normalise"],
    "app": ["*"],
}
SERVICES = {"services/edge": EDGE, "services/ingest": INGEST}

# Modules that are tested without sockets: they may not include any of PURE_FORBIDDEN either.
PURE = ["services/edge/frame", "services/edge/timer", "services/edge/dialect", "services/edge/hub",
        "services/edge/session", "services/edge/auth", "services/ingest/history", "services/ingest/normalise"]
PURE_FORBIDDEN = r"(sys/socket|sys/epoll|netinet/|arpa/|netdb|poll)"

# Library headers that only some modules may include. Tests, tools and benchmarks may include any.
RESTRICTED = [
    (r"(librdkafka|rdkafka)/", "librdkafka", ["services/ingest/kafka"]),
    (r"boost/(asio|beast)", "Asio and Beast",
     ["services/edge/net", "services/edge/ws", "common/http", "common/app"]),
    (r"(grpcpp|grpc)/|.*\.grpc\.pb\.h$", "gRPC",
     ["services/ingest/link", "services/ingest/control", "services/edge/upstream",
      "services/edge/control", "common/rpc", "common/gateway"]),
    (r"spdlog/", "spdlog", ["common/log"]),
    (r"prometheus/", "prometheus-cpp", ["common/metrics"]),
    (r"yaml-cpp/", "yaml-cpp", ["common/config"]),
    (r"cjose/", "libcjose", ["common/auth"]),
    (r"curl/", "libcurl", ["common/fetch"]),
]

# Folders whose code ships: it may not depend on the folders around it.
SHIPPED = ("services/", "common/")
SURROUNDING = ("tests/", "tools/", "bench/", "fuzz/")

_INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def module_of(path):
    """services/edge/hub/hub.h -> services/edge/hub, services/edge/main.cc -> services/edge/app."""
    parts = path.split("/")
    if parts[0] == "services" and len(parts) >= 3:
        return "/".join([*parts[:2], parts[2] if len(parts) > 3 else "app"])
    if parts[0] == "common" and len(parts) >= 3:
        return "/".join(parts[:2])
    return parts[0]


def problem_with(source, included):
    """Why `source` may not include `included`, or None."""
    module, target = module_of(source), module_of(included)
    if not source.startswith(SHIPPED):
        return None
    if included.startswith(SURROUNDING):
        return f"{module} may not depend on {target}"
    for pattern, name, users in RESTRICTED:
        if re.match(pattern, included) and module not in users:
            return f"only {', '.join(users)} may include {name}"
    if module in PURE and re.match(PURE_FORBIDDEN, included):
        return f"{module} does no input or output of its own"
    if module == "common/base" and ".pb.h" in included:
        return "common/base knows no generated code"
    if module == target or not included.startswith(SHIPPED):
        return None
    if module.startswith("common/"):
        if target.startswith("services/"):
            return "common/ may not depend on a service"
        return "common/base is the lowest layer" if module == "common/base" else None
    if target.startswith("common/"):
        return None
    service, name = module.rsplit("/", 1)
    target_service, target_name = target.rsplit("/", 1)
    if service != target_service:
        return f"{service} and {target_service} meet only in proto/"
    rules = SERVICES.get(service, {})
    if name not in rules:
        return f"{module} is in no layer: add it to cmake/check_layers.py"
    if rules[name] != ["*"] and target_name not in rules[name]:
        return f"{module} is no layer above {target}"
    return None


def cycle_in(graph):
    """Some cycle of a {node: set of nodes} graph as a list, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for follower in sorted(graph.get(node, ())):
            found = visit(follower)
            if found:
                return found
        path.pop()
        done.add(node)
        return None

    for start in sorted(graph):
        found = visit(start)
        if found:
            return found
    return None


def check(root):
    sources = tree.files(root, (".h", ".cc"))
    problems, common = [], {}
    for source in sources:
        for number, line in enumerate(tree.lines(root, source), 1):
            match = _INCLUDE.match(line)
            if not match:
                continue
            included = match.group(2)
            problem = problem_with(source, included)
            if problem:
                problems.append(f"{source}:{number}: {included}: {problem}")
            module, target = module_of(source), module_of(included)
            if module.startswith("common/") and target.startswith("common/") and module != target:
                common.setdefault(module, set()).add(target)
    cycle = cycle_in(common)
    if cycle:
        problems.append("common/: modules include each other in a circle: " + " -> ".join(cycle))
    return problems, len(sources)


if __name__ == "__main__":
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(tree.report(*check(sys.argv[1] if len(sys.argv) > 1 else here)))
