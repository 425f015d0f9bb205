"""Three replicas with affinity: the clients of an assessment belong on one of them, whatever one they come to first."""

import contextlib

import assessment
import client as client_tool
import pytest
import stack as stack_tool
from processes import wait_until
from websockets.exceptions import InvalidStatus

ADMIN = "spillway.v1.AdminService"
ASSESSMENTS = [f"a{n}" for n in range(12)]


@pytest.fixture(scope="module")
def system(kafka, binaries, tmp_path_factory):
    assessment.make_topics(kafka)
    stack = stack_tool.Stack(binaries, tmp_path_factory.mktemp("affinity"), "affinity")
    ingest = stack.ingest(preset="assessment", env={"KAFKA_BROKERS": kafka.bootstrap})
    stack.edges = {}
    for name in ("replica-0", "replica-1", "replica-2"):
        stack.edges[name] = stack.edge([ingest], preset="assessment", name=name,
                                       env={"POD_NAME": name, "AFFINITY_KEY": "{param.assessmentId}"})
    for node in (ingest, *stack.edges.values()):
        node.wait_ready()
    for edge in stack.edges.values():
        wait_until(lambda edge=edge: edge.metrics().sum("spillway_edge_cluster_peers") == 2, what="the edges' peers")
    stack.producer = stack_tool.Producer(kafka)
    yield stack
    stack.finish()


@pytest.fixture(autouse=True)
def logs(request, system):
    request.node.spillway_processes = system.processes


def come(edge, name, **more):
    """(client, redirect message or None) of one who comes to that edge."""
    client = client_tool.Client(edge.public, token=stack_tool.token("u1", assessmentId=name), assessmentId=name, **more)
    first = client.wait_for(lambda c: c.of("connected", "redirect"))[0]
    return client, (first if first["type"] == "redirect" else None)


def join(system, name, at):
    """A client that goes where it is sent; and the name of the edge that took it."""
    client, sent = come(system.edges[at], name)
    if sent is None:
        return client, at
    assert client.wait_closed() == 1008 and client.close_reason == "redirect"
    assert not client.of("connected")
    assert sent["address"].endswith(":" + system.edges[sent["node"]].public.rsplit(":", 1)[1])
    try:
        client, again = come(system.edges[sent["node"]], name, redirected="1")
        taken = sent["node"]
    except (InvalidStatus, OSError):  # it has just gone: where it was before, as one that was sent
        client, again = come(system.edges[at], name, redirected="1")
        taken = at
    assert again is None
    return client, taken


def owner_seen_by(system, name, nodes):
    """The one on which all meet, whichever of these they come to; None while they do not."""
    owners = set()
    for at in nodes:
        client, owner = join(system, name, at)
        client.close()
        owners.add(owner)
    return owners.pop() if len(owners) == 1 else None


def test_all_of_an_assessment_meet_on_one_replica_which_alone_handles_it(system):
    owners, clients = {}, {}
    for name in ASSESSMENTS:
        for at in system.edges:
            client, owner = join(system, name, at)
            clients.setdefault(name, []).append(client)
            assert owners.setdefault(name, owner) == owner, "whichever it came to"
    assert len(set(owners.values())) > 1, "not all on one"
    for name, edge in system.edges.items():
        with edge.rpc() as rpc:
            channels = rpc.call(f"{ADMIN}/ListChannels", {"scope": "SCOPE_NODE", "pattern": "assessment:*",
                                                          "page_size": 1000}).get("channels", [])
        here = {one["name"].split(":")[1] for one in channels}
        assert here == {one for one, owner in owners.items() if owner == name}
        assert edge.metrics().sum("spillway_edge_affinity_mismatches_total") == 0
    def waiting():
        return [name for name, all_of_it in clients.items() if not all(one.of("position_update") for one in all_of_it)]
    for _ in range(40):  # what comes before an ingest knows that a client is there passes it by
        for name in waiting():
            system.producer.put("trading.order-filled", {"assessmentId": name, "order": 1})
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not waiting(), 0.5)
            break
    for name, all_of_it in clients.items():
        for client in all_of_it:
            assert client.wait_type("position_update")[0]["data"]["order"] == 1, name
            client.close()


def test_one_that_was_sent_is_taken_where_it_arrives(system):
    name = ASSESSMENTS[0]
    first, owner = join(system, name, "replica-0")
    first.close()
    elsewhere = next(one for one in system.edges if one != owner)
    client, sent = come(system.edges[elsewhere], name, redirected="1")
    assert sent is None
    wait_until(lambda: system.edges[elsewhere].metrics().sum("spillway_edge_affinity_mismatches_total") == 1,
               what="the mismatch")
    client.close()


def test_one_that_drains_or_dies_owns_nothing(system):
    name = ASSESSMENTS[1]
    owner = owner_seen_by(system, name, system.edges)
    others = [one for one in system.edges if one != owner]
    with system.edges[others[0]].rpc() as rpc:
        rpc.call(f"{ADMIN}/Drain", {"node_id": owner, "duration_ms": 1})
        next_owner = wait_until(lambda: owner_seen_by(system, name, others), what="another owner")
        assert next_owner in others
        rpc.call(f"{ADMIN}/Undrain", {"node_id": owner})
    wait_until(lambda: owner_seen_by(system, name, others) == owner, what="the owner back")
    system.edges[owner].process.kill()
    wait_until(lambda: owner_seen_by(system, name, others) == next_owner, what="the next owner")
