"""An edge is drained by a call to another one, under load, and takes clients again: nothing is lost, and nobody is sent
to an edge that lets its clients go."""

import threading
import time

import grpc
import pytest
from processes import wait_until
from test_resume import Feed, all_came, check, start  # noqa: F401: a fixture
from test_rolling_restart import Resident

ADMIN = "spillway.v1.AdminService"
CLIENTS = 8


def call(edge, method, **request):
    with edge.rpc() as client:
        return client.call(f"{ADMIN}/{method}", request)


def node_id(edge):
    return call(edge, "ListNodes")["node_id"]


def draining(edge, node):
    return {one["node_id"] for one in call(edge, "ListNodes")["nodes"] if one.get("draining")} == {node}


def test_a_node_is_drained_from_another_and_comes_back(start):  # noqa: F811
    stack = start(edges=3)
    names = [node_id(edge) for edge in stack.edges]
    for edge in stack.edges:
        wait_until(lambda edge=edge: edge.metrics().sum("spillway_edge_cluster_peers") == 2, what="the edges' peers")
    feed = Feed(stack.producer, stack.topic)
    over = threading.Event()
    residents = [Resident(stack, n, lambda c: over.is_set() and all_came(c, feed)(c)) for n in range(CLIENTS)]
    for resident in residents:
        resident.start()
    wait_until(lambda: sum(int(call(edge, "GetStats", scope="SCOPE_NODE").get("connections", 0))
                           for edge in stack.edges) == CLIENTS, what="all clients")

    target, asked = stack.edges[0], stack.edges[1]
    told = call(asked, "Drain", node_id=names[0], duration_ms=3000, lead_ms=500, dry_run=True)
    assert told["stage"] == "DRAIN_STAGE_SERVING" and told["others"] == "2" and int(told["connections"]) > 0
    stack.edges[0] = None  # where no client goes by itself
    told = call(asked, "Drain", node_id=names[0], duration_ms=3000, lead_ms=500)
    assert told["node_id"] == names[0] and told["stage"] == "DRAIN_STAGE_LEAD"
    assert target.ready()[0] == 503 and target.ready()[1]["draining"]
    wait_until(lambda: draining(stack.edges[2], names[0]), what="the others knowing")
    wait_until(lambda: call(asked, "Drain", node_id=names[0], dry_run=True)["stage"] == "DRAIN_STAGE_DRAINED",
               what="the drained node")
    wait_until(lambda: int(call(target, "GetStats", scope="SCOPE_NODE").get("connections", 0)) == 0,
               what="a node without connections")
    moved = [message for resident in residents for message in resident.client.moving]
    assert moved and all(message.get("address") for message in moved), "each was told where"

    # Two of three: those of the second are told of the third alone.
    before = {id(message) for message in moved}
    gone, stack.edges[1] = stack.edges[1], None
    told = call(stack.edges[2], "Drain", node_id=names[1], duration_ms=1500, lead_ms=0)
    assert told["others"] == "1"
    wait_until(lambda: int(call(gone, "GetStats", scope="SCOPE_NODE").get("connections", 0)) == 0,
               what="the second without connections")
    moved = [message for resident in residents for message in resident.client.moving if id(message) not in before]
    third = {one["addresses"]["public_address"] for one in call(stack.edges[2], "ListNodes")["nodes"]
             if one["node_id"] == names[2]}
    assert {message["address"] for message in moved} == third

    told = call(stack.edges[2], "Undrain", node_id=names[0])
    assert told["stage"] == "DRAIN_STAGE_SERVING"
    wait_until(lambda: target.ready()[0] == 200, what="the node that is taken back")
    wait_until(lambda: draining(stack.edges[2], names[1]), what="the others knowing that, too")
    stack.edges[0], stack.edges[1] = target, gone
    with pytest.raises(grpc.RpcError) as error:
        call(stack.edges[2], "Drain", node_id="nobody")
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    call(stack.edges[2], "Undrain", node_id=names[1])
    time.sleep(0.5)
    feed.stop()
    over.set()
    for resident in residents:
        resident.join(30)
        assert not resident.is_alive() and resident.problem is None, resident.problem
        check(resident.client, feed)
