"""What operators see of a whole cluster: a channel's history, what happens on all edges, connections by label, and the paths
of a management API over HTTP."""

import contextlib
import json
import urllib.error
import urllib.request

import client as client_tool
import grpc
import pytest
import stack as stack_tool
from processes import wait_until

ADMIN = "spillway.v1.AdminService"
TOKEN = "token-of-the-tests"
RECORDS = 300


@pytest.fixture(scope="module")
def system(kafka, binaries, tmp_path_factory):
    """Two ingests, two edges, a topic of three partitions with numbered records."""
    stack = stack_tool.Stack(binaries, tmp_path_factory.mktemp("views"), "views")
    stack.topic = "views"
    stack_tool.make_topics(kafka, {stack.topic: 3})
    stack.producer = stack_tool.Producer(kafka)
    for n in range(RECORDS):
        stack.producer.send(stack.topic, {"n": n}, key=str(n % 7), partition=n % 3)
    stack.producer.flush()
    stack.ingests = [stack.ingest(name=f"ingest{n}", config={"ingest": {
        "kafka": {"brokers": kafka.bootstrap},
        "routes": [{"name": "r", "topics": [stack.topic], "emit": [
            {"channels": ["all"], "type": "tick", "key": "{key}"}]}]}}) for n in range(2)]
    stack.edges = [start_edge(stack, n) for n in range(2)]
    for node in (*stack.ingests, *stack.edges):
        node.wait_ready()
    for edge in stack.edges:
        wait_until(lambda edge=edge: edge.metrics().sum("spillway_edge_cluster_peers") == 1, what="the edges' peers")
    yield stack
    stack.finish()


def start_edge(stack, number, name=None):
    return stack.edge(stack.ingests, name=name or f"edge{number}", preset="websocket_rest",
                      env={"ADMIN_TOKEN": TOKEN}, sets=[f"edge.node_id=edge{number}"], config={"edge": {
                          "endpoints": [{"path": "/ws", "auth": {"required": False},
                                         "labels": {"device": "{header.x-device}", "kind": "test"}}],
                          "channels": [{"pattern": "**", "access": "anyone"}]}})


@pytest.fixture(autouse=True)
def logs(request, system):
    request.node.spillway_processes = system.processes


def call(edge, method, **request):
    with edge.rpc(TOKEN) as client:
        return client.call(f"{ADMIN}/{method}", request)


def connect(edge, **options):
    client = client_tool.Client(edge.public, **options)
    client.wait_type("connected")
    return client


def test_the_history_of_a_channel(system):
    # The edge has taken nothing in of what was there before it.
    for n in range(RECORDS, RECORDS + 30):
        system.producer.send(system.topic, {"n": n}, key=str(n % 7), partition=n % 3)
    system.producer.flush()

    def caught_up():
        for edge in system.edges:
            attachments = call(edge, "GetStats", scope="SCOPE_NODE").get("attachments", [])
            if len(attachments) != 3 or any(int(one.get("upto", 0)) < RECORDS // 3 + 9 for one in attachments):
                return False
        return True
    wait_until(caught_up, what="the edge's positions")
    events, token, pages = [], "", 0
    while True:
        page = call(system.edges[0], "History", channel="all", back=1000, page_size=50, page_token=token)
        assert len(page.get("events", [])) <= 50
        events += page.get("events", [])
        pages += 1
        token = page.get("next_page_token", "")
        if not token:
            break
    assert pages >= 7
    assert sorted(json.loads(one["payload"])["n"] for one in events) == list(range(RECORDS + 30))
    by_source = {}
    for one in events:
        by_source.setdefault(one["source"], []).append(int(one.get("offset", 0)))
    assert len(by_source) == 3 and all(offsets == sorted(offsets) for offsets in by_source.values())
    assert events[0]["type"] == "tick" and events[0]["key"]
    last = call(system.edges[1], "History", channel="all", back=5)["events"]
    assert len(last) == 15 and {json.loads(one["payload"])["n"] for one in last} == set(range(RECORDS + 15, RECORDS + 30))
    for request, code in (({"channel": "a*"}, grpc.StatusCode.INVALID_ARGUMENT),
                          ({"channel": "nobody:feeds:it"}, grpc.StatusCode.NOT_FOUND),
                          ({"channel": "all", "page_token": "x"}, grpc.StatusCode.INVALID_ARGUMENT)):
        with pytest.raises(grpc.RpcError) as error:
            call(system.edges[0], "History", **request)
        assert error.value.code() == code


def test_watching_the_cluster(system):
    with system.edges[0].rpc(TOKEN) as rpc, contextlib.closing(
            rpc.answers(f"{ADMIN}/WatchEvents", {"categories": ["EVENT_CATEGORY_CONNECTION"]})) as seen:
        wait_until(lambda: seen.of(kind="node_watched", node_id="edge1"), what="the other edge's events")
        here, there = connect(system.edges[0]), connect(system.edges[1])
        for node in ("edge0", "edge1"):
            wait_until(lambda node=node: seen.of(kind="connection_opened", node_id=node), what=f"a connection on {node}")
        there.close()
        wait_until(lambda: seen.of(kind="connection_closed", node_id="edge1"), what="its end")
        system.edges[1].process.kill()
        wait_until(lambda: seen.of(kind="node_lost", node_id="edge1"), what="the loss of the node")
        lost = seen.of(kind="node_lost")[0]
        assert lost["category"] == "EVENT_CATEGORY_WATCH" and lost["outcome"] == "node_unreachable"
        system.edges[1] = start_edge(system, 1, name="edge1-again").wait_ready()
        wait_until(lambda: len(seen.of(kind="node_watched", node_id="edge1")) == 2, what="the node that is back")
        assert len(seen.of(kind="node_lost")) == 1, "once"
        here.close()
    with system.edges[0].rpc(TOKEN) as rpc, contextlib.closing(
            rpc.answers(f"{ADMIN}/WatchEvents", {"scope": "SCOPE_NODE"})) as seen:
        connect(system.edges[1]).close()
        connect(system.edges[0]).close()
        wait_until(lambda: seen.of(kind="connection_closed"), what="the end of a connection")
        assert not [one for one in seen.messages if one["node_id"] != "edge0"]


def test_connections_by_label_and_when_to_come_back(system):
    phones = [connect(edge, headers={"X-Device": "phone"}) for edge in system.edges]
    pad = connect(system.edges[0], headers={"X-Device": "pad"})
    listed = call(system.edges[0], "ListConnections", labels=["kind=test", "device=phone"])["connections"]
    assert {one["node_id"] for one in listed} == {"edge0", "edge1"}
    assert all(one["labels"] == {"device": "phone", "kind": "test"} for one in listed)
    answer = call(system.edges[1], "Disconnect", label="device=phone", reconnect={"after_ms": 2000, "spread_ms": 1000})
    assert answer["disconnected"] == "2"
    for phone in phones:
        assert phone.wait_closed() == 4009
        told = phone.of("closing")[0]
        assert told["reconnect"] and 2000 <= told["after_ms"] < 3000
    assert pad.open
    pad.close()


def ask(edge, verb, path, body=None, bearer=TOKEN):
    """(status, document) of a request on the operations port."""
    request = urllib.request.Request(f"http://{edge.ops}/api/v1/websocket{path}", method=verb,
                                     data=None if body is None else json.dumps(body).encode())
    if bearer:
        request.add_header("Authorization", f"Bearer {bearer}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_the_paths_of_a_management_api(system):
    edge = system.edges[0]
    clients = [connect(edge) for _ in range(3)]
    own = {client.of("connected")[0]["connection"] for client in clients}
    assert ask(edge, "GET", "/stats", bearer=None)[0] == 401
    status, stats = ask(edge, "GET", "/stats")
    assert status == 200 and int(stats["connections"]) >= 3 and len(stats["each"]) == 2
    status, health = ask(edge, "GET", "/health", bearer=None)
    assert status == 200 and health["status"] == "ready" and health["kafka"] == "connected"
    clients[0].send({"type": "subscribe", "channels": ["room:1"]})
    clients[0].wait_type("subscribed")
    status, channels = ask(edge, "GET", "/channels?pattern=room:*")
    assert status == 200 and [one["name"] for one in channels["channels"]] == ["room:1"]
    status, listed = ask(edge, "GET", "/connections/nobody")
    assert status == 200 and listed["connections"] == []
    status, sent = ask(edge, "POST", "/broadcast", {"channels": ["room:1"], "type": "note", "payload": "1"})
    assert status == 200 and sent["delivered"] == "1"
    status, sent = ask(edge, "POST", "/broadcast/batch", {"broadcasts": [{"all": True, "type": "a", "payload": "1"}]})
    assert status == 200 and sent["delivered"] == ["3"]
    gone = sorted(own)[0]
    assert ask(edge, "POST", f"/disconnect/{gone}")[1]["disconnected"] == "1"
    assert ask(edge, "POST", f"/disconnect/{gone}")[0] in (200, 404)
    assert ask(edge, "POST", "/disconnect/user/nobody")[1]["disconnected"] == "0"
    assert ask(edge, "POST", "/disconnect/ip/127.0.0.1", {"reason": "maintenance"})[1]["disconnected"] == "2"
    for client in clients:
        assert client.wait_closed() == 4009
    assert "maintenance" in {client.close_reason for client in clients}
    assert ask(edge, "POST", "/disconnect/not-an-id")[0] == 400
    document = json.loads(edge.get("/openapi.json")[1])
    assert "/api/v1/websocket/connections/{user_id}" in document["paths"]
