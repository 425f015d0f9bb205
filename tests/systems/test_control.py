"""Blocks and revocations across real nodes on a real Kafka: in force everywhere at once, and for good."""

import json
import threading
import time

import client as client_tool
import grpc
import pytest
import stack as stack_tool
from processes import wait_until
from websockets.exceptions import InvalidStatus

ADMIN = "spillway.v1.AdminService"


@pytest.fixture
def system(request, kafka, binaries, tmp_path, make_topic):
    """Two ingests and two edges with a control topic of their own, which the ingests make."""
    stack = stack_tool.Stack(binaries, tmp_path, request.node.name)
    stack.topic = make_topic()
    stack.control_topic = f"{stack.topic}.control"
    stack.ingest_config = {"ingest": {
        "kafka": {"brokers": kafka.bootstrap},
        "control": {"topic": stack.control_topic},
        "routes": [{"name": "r", "topics": [stack.topic], "emit": [{"channels": ["all"]}]}]}}
    stack.edge_config = {"edge": {
        "endpoints": [{"path": "/ws", "auth": {"secret": stack_tool.SECRET}}],
        "trusted_proxies": ["127.0.0.1"],
        "control": {"wait": "5m"},  # nobody is let in before who is blocked is known, however slow the machine
        "channels": [{"pattern": "**", "access": "anyone"}]}}
    request.node.spillway_processes = stack.processes
    yield stack
    stack.finish()
    kafka.delete_topic(stack.control_topic)


def start(stack, edges=2):
    stack.ingests = [stack.ingest(config=stack.ingest_config, name=f"ingest{n}") for n in range(2)]
    stack.edges = [stack.edge(stack.ingests, config=stack.edge_config, name=f"edge{n}",
                              sets=[f"edge.node_id=edge{n}"]) for n in range(edges)]
    for node in (*stack.ingests, *stack.edges):
        node.wait_ready()
    for edge in stack.edges:
        wait_until(lambda edge=edge: edge.metrics().sum("spillway_edge_cluster_peers") == edges - 1,
                   what="the edges knowing each other")


def call(edge, method, **request):
    with edge.rpc() as client:
        return client.call(f"{ADMIN}/{method}", request)


def connect(edge, sub="u1", headers=None, **claims):
    client = client_tool.Client(edge.public, token=stack_tool.token(sub, **claims), headers=headers)
    client.wait_type("connected")
    return client


def refusal(edge, sub="u1", headers=None, **claims):
    """(status, code) of a refused upgrade; None if the client is let in."""
    try:
        client_tool.Client(edge.public, token=stack_tool.token(sub, **claims), headers=headers).close()
    except InvalidStatus as error:
        body = json.loads(error.response.body)
        return error.response.status_code, body["error"]["code"]
    return None


def test_in_force_on_every_edge_within_a_moment(system):
    start(system)
    worst = {}
    for round_ in range(10):
        user, ip, jti = f"u{round_}", f"203.0.113.{round_}", f"t{round_}"
        # The call; who is meant; the close code of the live ones, and what later ones are told.
        cases = {
            "BlockUser": ({"user_id": user}, {"sub": user}, 4010, (403, "user_blocked")),
            "BlockIp": ({"ip": ip}, {"sub": "other", "headers": {"X-Forwarded-For": ip}}, 4010, (403, "ip_blocked")),
            "RevokeToken": ({"jti": jti}, {"sub": "other", "jti": jti}, 4011, (401, "token_revoked")),
            "RevokeUserTokens": ({"user_id": user}, {"sub": user}, 4011, (401, "token_revoked")),
        }
        for method, (request, who, code, refused) in cases.items():
            clients = [connect(edge, **who) for edge in system.edges]
            ended = []
            watchers = [threading.Thread(target=lambda c=c: (c.wait_closed(), ended.append(time.monotonic())))
                        for c in clients]
            for watcher in watchers:
                watcher.start()
            began = time.monotonic()
            answer = call(system.edges[0], method, **request)
            # From the answer on nobody is let in by any edge, and it stays so.
            for _ in range(3):
                assert [refusal(edge, **who) for edge in reversed(system.edges)] == [refused, refused], method
            for watcher in watchers:
                watcher.join(20)
            took = max(ended) - began
            worst[method] = max(worst.get(method, 0), took)
            assert answer["durable"] and answer["connections"] == "2", answer
            assert [c.wait_closed() for c in clients] == [code, code]
            assert took < 10, f"{method}: {took:.3f} s"  # far more than it takes: machines are busy
            if method == "BlockUser":
                call(system.edges[1], "Unblock", user_id=user)
    for method, took in sorted(worst.items()):
        print(f"{method}: live connections of both edges ended {took * 1000:.0f} ms after the call at most")


def test_outlives_all_nodes_and_reaches_new_edges_first(system):
    start(system)
    assert call(system.edges[0], "BlockUser", user_id="bad")["durable"]
    assert call(system.edges[1], "BlockIp", ip="2001:db8::1")["durable"]
    assert call(system.edges[1], "RevokeToken", jti="t1")["durable"]
    assert call(system.edges[0], "BlockUser", user_id="forgiven")["durable"]
    assert call(system.edges[1], "Unblock", user_id="forgiven")["durable"]
    for node in (*system.ingests, *system.edges):
        node.process.kill()

    ingests = [system.ingest(config=system.ingest_config, name="ingest-new")]
    edge = system.edge(ingests, config=system.edge_config, name="edge-new")
    # From the moment that it listens: those who are quick are told to come back, never let in.
    seen = []
    wait_until(lambda: seen.append(refusal(edge, "bad")) or seen[-1] != (503, "control_pending"))
    assert None not in seen and seen[-1] == (403, "user_blocked"), seen
    edge.wait_ready()
    assert edge.ready()[1]["dependencies"]["control"] == "known"
    assert refusal(edge, "good") is None
    assert refusal(edge, "forgiven") is None
    assert refusal(edge, "good", jti="t1") == (401, "token_revoked")
    assert refusal(edge, "good", {"X-Forwarded-For": "2001:db8::ffff"}) == (403, "ip_blocked")
    listed = call(edge, "ListBlocks")["entries"]
    assert [one["subject"] for one in listed] == ["2001:db8::/64", "t1", "bad"]


def test_a_node_that_hangs_is_named_and_told_later(system):
    start(system)
    system.edges[1].process.pause()
    answer = call(system.edges[0], "BlockUser", user_id="bad")
    assert answer["durable"]
    nodes = {one["node_id"]: one.get("error_code", "") for one in answer["nodes"]}
    assert nodes["edge0"] == "" and len(nodes) == 2
    assert nodes["edge1"] in ("node_timeout", "node_unreachable")  # whether there was a connection to it
    system.edges[1].process.resume()
    wait_until(lambda: refusal(system.edges[1], "bad") == (403, "user_blocked"))


def test_a_topic_that_is_not_compacted_is_refused(system, kafka):
    kafka.create_topic(system.control_topic, 1)
    ingest = system.ingest(config=system.ingest_config)
    edge = system.edge([ingest], config=system.edge_config)

    def trouble():
        status, document = edge.ready()
        return status == 503 and "not compacted" in document.get("details", {}).get("control", "")
    wait_until(trouble)
    assert refusal(edge) == (503, "control_pending")
    with pytest.raises(grpc.RpcError):
        call(edge, "Unblock", user_id="nobody")


def test_an_absent_topic_that_may_not_be_made_is_said_and_the_rest_serves(system, kafka):
    system.ingest_config["ingest"]["control"]["create"] = False
    system.edge_config["edge"]["control"] = {"wait": "2s"}
    ingest = system.ingest(config=system.ingest_config)
    edge = system.edge([ingest], config=system.edge_config)

    def says(node, state):
        status, document = node.ready()
        return (status == 200 and document["dependencies"].get("control") == state
                and "the topic is not there: create it with cleanup.policy=compact, or allow control.create"
                in document["details"].get("control", ""))
    wait_until(lambda: says(ingest, "unreadable"), what="the ingest's word")
    wait_until(lambda: says(edge, "unknown"), what="the edge's word")

    client = connect(edge)
    client.send({"type": "subscribe", "channels": ["all"]})
    client.wait_type("subscribed")
    stack_tool.Producer(kafka).put(system.topic, {"n": 1})
    assert client.wait_type("event")[0]["data"] == {"n": 1}
    answer = call(edge, "BlockUser", user_id="bad")
    assert not answer.get("durable") and answer["durable_error_code"] == "control_topic_missing", answer
    assert system.control_topic in answer["durable_message"]
    assert refusal(edge, "bad") == (403, "user_blocked")
    assert client.open

    # Made by hand, it is found without a restart.
    kafka.create_topic(system.control_topic, 1, config={"cleanup.policy": "compact"})
    for node, state in ((ingest, "read"), (edge, "known")):
        wait_until(lambda node=node, state=state: node.ready()[1]["dependencies"].get("control") == state)
    # What writes to it may believe for a moment yet that it is not there.
    wait_until(lambda: call(edge, "BlockUser", user_id="worse").get("durable"), what="a durable block")
