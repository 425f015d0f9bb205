"""The admin API of an edge, called by reflection as operators do."""

import json
import pathlib
import shutil
import subprocess

import assessment
import grpc
import pytest
import stack as stack_tool
from assessment import join_live
from processes import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADMIN = "spillway.v1.AdminService"
BEARER = "bearer-of-the-tests"


@pytest.fixture(scope="module")
def system(kafka, binaries, tmp_path_factory):
    """One ingest, and two edges: the second one's admin API wants a token."""
    assessment.make_topics(kafka)
    stack = stack_tool.Stack(binaries, tmp_path_factory.mktemp("admin"), "admin")
    ingest = stack.ingest(preset="assessment", env={"KAFKA_BROKERS": kafka.bootstrap})
    stack.edges = [stack.edge([ingest], preset="assessment", name=f"edge{n}", sets=sets,
                              env={"NODE_ID": f"edge{n}"})
                   for n, sets in ((1, []), (2, [f"edge.admin.bearer_token={BEARER}"]))]
    for node in (ingest, *stack.edges):
        node.wait_ready()
    stack.producer = stack_tool.Producer(kafka)
    yield stack
    stack.finish()


@pytest.fixture(autouse=True)
def logs(request, system):
    request.node.spillway_processes = system.processes


@pytest.fixture
def edge(system):
    return system.edges[0]


@pytest.fixture
def call(edge):
    """A function: call("GetStats", field=value, ...) -> dict. Of this edge alone: the other one's API wants a token."""
    with edge.rpc() as client:
        yield lambda method, **request: client.call(f"{ADMIN}/{method}", {"scope": "SCOPE_NODE", **request})


@pytest.fixture
def join(system, edge):
    """A function that connects a client, closed after the test."""
    clients = []

    def connect(name, sub="u1", at=edge):
        clients.append(join_live(at, system.producer, name, sub=sub))
        return clients[-1]
    yield connect
    for client in clients:
        client.close()
    wait_until(lambda: edge.metrics().sum("websocket_connections_total") == 0, 5, "no connections")


def connection_id(client):
    return client.of("connected")[0]["connectionId"]


def test_connections_are_listed(call, join):
    clients = [join("a-list", sub=f"user{n}") for n in range(3)]
    listed = call("ListConnections")
    assert listed["node_id"] == "edge1"
    by_id = {one["id"]: one for one in listed["connections"]}
    assert set(by_id) == {connection_id(client) for client in clients}
    one = by_id[connection_id(clients[1])]
    assert one["user_id"] == "user1" and one["ip"] == "127.0.0.1" and one["endpoint"] == "/ws"
    assert one["subscriptions"] == 2 and int(one["messages_sent"]) >= 2

    assert len(call("ListConnections", user_id="user2")["connections"]) == 1
    assert "connections" not in call("ListConnections", user_id="nobody")
    assert len(call("ListConnections", channel="assessment:a-list")["connections"]) == 3
    pages, token = [], ""
    while True:
        page = call("ListConnections", page_size=2, page_token=token)
        pages += [one["id"] for one in page["connections"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert sorted(pages) == sorted(by_id)

    shown = call("GetConnection", connection_id=connection_id(clients[0]))
    assert shown["channels"] == ["assessment:a-list", "market"]
    with pytest.raises(grpc.RpcError) as error:
        call("GetConnection", connection_id="0" * 32)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_channels_are_listed(call, join):
    for name in ("a-ch-1", "a-ch-1", "a-ch-2"):
        join(name)
    channels = {one["name"]: int(one["subscribers"]) for one in call("ListChannels")["channels"]}
    assert channels == {"market": 3, "assessment:a-ch-1": 2, "assessment:a-ch-2": 1}
    found = call("ListChannels", pattern="assessment:*")["channels"]
    assert [one["name"] for one in found] == ["assessment:a-ch-1", "assessment:a-ch-2"]


def test_stats(call, join):
    join("a-stats")
    stats = call("GetStats")
    assert stats["node_id"] == "edge1" and stats["version"]
    assert (int(stats["connections"]), int(stats["channels"]), int(stats["subscriptions"])) == (1, 2, 2)
    assert int(stats["events_received"]) > 0
    assert len(stats["attachments"]) == 15 * assessment.PARTITIONS
    assert all(one["ingest"] for one in stats["attachments"])


def test_disconnect(system, call, join):
    first, second, third, fourth = [join("a-dis", sub=sub) for sub in ("kick", "kick", "stay", "stay")]
    elsewhere = join("a-dis", sub="kick", at=system.edges[1])
    answer = call("Disconnect", connection_id=connection_id(third), code=4321, reason="for a test")
    assert answer["disconnected"] == "1"
    assert third.wait_closed() == 4321 and third.close_reason == "for a test"
    assert call("Disconnect", user_id="kick")["disconnected"] == "2"
    assert first.wait_closed() == second.wait_closed() == 4009
    assert fourth.open and elsewhere.open
    assert call("Disconnect", ip="127.0.0.1")["disconnected"] == "1"
    assert fourth.wait_closed() == 4009
    others = [join("a-dis-2") for _ in range(3)]
    assert call("Disconnect", all=True)["disconnected"] == "3"
    assert [client.wait_closed() for client in others] == [4009] * 3
    assert elsewhere.open


@pytest.mark.parametrize("request_fields", [
    {}, {"connection_id": ""}, {"all": True, "code": 1005}, {"all": True, "code": 70000},
    {"all": True, "reason": "x" * 124}])
def test_disconnect_refuses_nonsense(call, join, request_fields):
    client = join("a-nonsense")
    with pytest.raises(grpc.RpcError) as error:
        call("Disconnect", **request_fields)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT and error.value.details()
    assert client.open


def test_broadcast(call, join):
    mine, other = join("a-cast"), join("a-cast-other")
    answer = call("Broadcast", channels=["assessment:a-cast"], type="violation",
                  payload='{"note":"channel"}')
    assert answer["delivered"] == "1" and answer["node_id"] == "edge1"
    assert call("Broadcast", all=True, type="maintenance", payload='{"note":"all"}')["delivered"] == "2"
    for client in (mine, other):
        found = client.wait_type("maintenance")
        assert len(found) == 1 and found[0]["data"] == {"note": "all"}
    notes = [m["data"]["note"] for m in mine.of("violation") if "note" in m["data"]]
    assert notes == ["channel"]
    assert not any("note" in m["data"] for m in other.of("violation"))
    with pytest.raises(grpc.RpcError) as error:
        call("Broadcast", all=True, type="bad", payload="{not json")
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_the_bearer_token(system):
    edge = system.edges[1]
    for bearer in (None, "wrong"):
        with pytest.raises(grpc.RpcError) as error:
            with edge.rpc(bearer) as client:
                client.call(f"{ADMIN}/GetStats")
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    with edge.rpc(BEARER) as client:
        assert client.call(f"{ADMIN}/GetStats")["node_id"] == "edge2"


def test_services_by_reflection(edge):
    with edge.rpc() as client:
        services = client.services()
        assert {ADMIN, "grpc.health.v1.Health"} <= set(services)
        assert client.call("grpc.health.v1.Health/Check")["status"] == "SERVING"


@pytest.fixture
def grpcurl():
    path = shutil.which("grpcurl") or shutil.which("grpcurl", path=ROOT / ".tools")
    if not path:
        pytest.skip("grpcurl is not installed: ./dev setup")

    def run(*arguments):
        return subprocess.run([path, "-plaintext", *arguments], capture_output=True, text=True, timeout=20,
                              check=False)
    return run


def test_grpcurl_works_bare(grpcurl, system, join):
    first, second = system.edges
    listed = grpcurl(first.admin, "list")
    assert listed.returncode == 0 and ADMIN in listed.stdout, listed.stderr
    client = join("a-grpcurl")
    cast = grpcurl("-d", '{"all":true,"type":"hello","payload":"{\\"from\\":\\"grpcurl\\"}"}', first.admin,
                   f"{ADMIN}/Broadcast")
    assert json.loads(cast.stdout)["delivered"] == "1", cast.stderr
    assert client.wait_type("hello")[0]["data"] == {"from": "grpcurl"}
    kicked = grpcurl("-d", json.dumps({"connection_id": connection_id(client)}), first.admin,
                     f"{ADMIN}/Disconnect")
    assert json.loads(kicked.stdout)["disconnected"] == "1", kicked.stderr
    assert client.wait_closed() == 4009
    assert grpcurl(second.admin, f"{ADMIN}/GetStats").returncode != 0
    authorised = grpcurl("-H", f"authorization: Bearer {BEARER}", second.admin, f"{ADMIN}/GetStats")
    assert json.loads(authorised.stdout)["node_id"] == "edge2", authorised
