"""The preset `assessment` as clients, producers and operators of the service that it replaces see it."""

import collections
import json
import time

import assessment
import pytest
import stack as stack_tool
import yaml
from assessment import MARKET, OWN, PARTITIONS, join, join_live
from client import Client, refused
from processes import http_get, wait_until
from stack import SECRET, token

PRESET = "assessment"


@pytest.fixture(scope="module")
def system(kafka, binaries, tmp_path_factory):
    """One ingest, two edges, all with the preset."""
    assessment.make_topics(kafka)
    stack = stack_tool.Stack(binaries, tmp_path_factory.mktemp("assessment"), "assessment")
    env = {"KAFKA_BROKERS": kafka.bootstrap}
    stack.node_ingest = stack.ingest(preset=PRESET, env=env)
    stack.edges = [stack.edge([stack.node_ingest], preset=PRESET, name=f"edge{n}",
                              env={"NODE_ID": f"edge{n}"}) for n in (1, 2)]
    for node in (stack.node_ingest, *stack.edges):
        node.wait_ready()
    stack.producer = stack_tool.Producer(kafka)
    yield stack
    stack.finish()


@pytest.fixture(autouse=True)
def logs(request):
    """Makes a failed test show the logs of the processes that the module shares."""
    if "system" in request.fixturenames:
        request.node.spillway_processes = request.getfixturevalue("system").processes


# ---- their seven integration tests -----------------------------------------------------------------


def test_a_valid_token_is_answered_by_connected(system):
    with join(system.edges[0], "a-connect", sub="trader-7") as client:
        first = client.wait_for(lambda c: c.messages)[0]
    assert set(first) == {"type", "connectionId", "userId", "timestamp"}
    assert first["type"] == "connected" and first["connectionId"] and first["userId"] == "trader-7"
    assert abs(first["timestamp"] - time.time() * 1000) < 5000


@pytest.mark.parametrize("query, status, code", [
    ({}, 401, "token_missing"),
    ({"token": "nonsense"}, 401, "token_malformed"),
    ({"token": token(assessmentId="a1", secret="another-secret-of-32-bytes-or-more")}, 401,
     "token_bad_signature"),
    ({"token": token(assessmentId="a1", ttl=-60)}, 401, "token_expired"),
    ({"token": token(assessmentId="a2")}, 403, "param_not_allowed"),
    ({"token": token()}, 403, "claim_missing"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_who_may_not_connect_is_told_why(system, query, status, code):
    found_status, found_code, message = refused(system.edges[0].public, assessmentId="a1", **query)
    assert (found_status, found_code) == (status, code)
    assert len(message) > 10


def test_a_market_price_reaches_every_client(system):
    clients = [join_live(edge, system.producer, name)
               for edge in system.edges for name in ("a-market-1", "a-market-2")]
    sent = {}
    for number, topic in enumerate(MARKET):
        sent[topic] = {"symbol": f"S{number}", "price": 100.5 + number, "mark": "every-client",
                       "timestamp": 1_770_000_000_000 + number}
        system.producer.put(topic, sent[topic], key=f"S{number}")
    for client in clients:
        def mine(c):
            return [m for m in c.messages if m.get("data", {}).get("mark") == "every-client"]
        client.wait_for(lambda c: len(mine(c)) == len(MARKET), what="prices")
        for message in mine(client):
            topic = message["data"]["topic"]
            assert message == {"type": "market_price", "data": {**sent[topic], "topic": topic},
                               "timestamp": sent[topic]["timestamp"]}
        client.close()


@pytest.mark.parametrize("topic", OWN)
def test_an_event_reaches_its_assessment_only(system, topic):
    number = list(OWN).index(topic)
    mine, other = f"a-own-{number}", f"a-other-{number}"
    with join_live(system.edges[0], system.producer, mine) as client, \
            join_live(system.edges[1], system.producer, other) as stranger:
        by_field = {"assessmentId": mine, "n": 1, "timestamp": 1_770_000_000_123}
        by_key = {"n": 2, "timestamp": 1_770_000_000_456}
        system.producer.put(topic, by_field, key=other)  # the field goes before the key
        system.producer.put(topic, by_key, key=mine)
        system.producer.put(topic, {"assessmentId": other, "n": 3})
        found = client.wait_for(lambda c: len(numbered(c)) == 2 and numbered(c))
        assert sorted(found, key=lambda m: m["data"]["n"]) == [
            {"type": OWN[topic], "data": {**value, "topic": topic}, "timestamp": value["timestamp"]}
            for value in (by_field, by_key)]
        assert [m["data"]["n"] for m in
                stranger.wait_for(lambda c: numbered(c))] == [3]
        assert len(numbered(client)) == 2


def numbered(client):
    return [m for m in client.messages if "n" in m.get("data", {})]


def test_heartbeat(system):
    edge = system.edge([system.node_ingest], preset=PRESET, name="edge-heartbeat",
                       env={"HEARTBEAT_INTERVAL": "500", "CONNECTION_TIMEOUT": "3000"})
    edge.wait_ready()
    start = time.monotonic()
    with join(edge, "a-beat") as good, join(edge, "a-beat", pong=False) as silent:
        assert silent.wait_closed(20) == 4003
        assert time.monotonic() - start > 2.9
        pings = silent.of("ping")
        assert len(pings) >= 2
        assert set(pings[0]) == {"type", "timestamp"}
        time.sleep(max(0, start + 6.5 - time.monotonic()))  # more than two timeouts
        assert good.open
        metrics = edge.metrics()
        assert metrics.sum("websocket_heartbeat_failures_total") == 1
        assert metrics.sum("websocket_connections_total") == 1
    assert edge.process.stop() == 0


def test_clients_of_one_assessment_on_two_edges_get_every_event_in_order(system):
    clients = [join_live(edge, system.producer, "a-two", sub=f"u{n}")
               for n, edge in enumerate(system.edges)]
    topics = ("assessment.pnl-updated", "trading.order-filled", "market-data.btc-ticks")
    for number in range(600):
        topic = topics[number % len(topics)]
        partition = number // len(topics) % PARTITIONS
        system.producer.send(topic, {"assessmentId": "a-two", "symbol": "BTC", "mark": "two",
                                     "partition": partition, "number": number}, partition=partition)
    system.producer.flush()
    for client in clients:
        def got(c):
            return [m["data"] for m in c.messages if m.get("data", {}).get("mark") == "two"]
        data = client.wait_for(lambda c: len(got(c)) >= 600 and got(c), timeout=20)
        assert sorted(d["number"] for d in data) == list(range(600))
        by_partition = collections.defaultdict(list)
        for one in data:
            by_partition[one["topic"], one["partition"]].append(one["number"])
        assert len(by_partition) == len(topics) * PARTITIONS
        assert all(numbers == sorted(numbers) for numbers in by_partition.values())
        client.close()


def test_graceful_shutdown(system):
    edge = system.edge([system.node_ingest], preset=PRESET, name="edge-stopping").wait_ready()
    clients = [join(edge, "a-stop") for _ in range(20)]
    with join_live(system.edges[0], system.producer, "a-stop") as unaffected:
        for client in clients:
            client.wait_type("connected")
        start = time.monotonic()
        assert edge.process.stop(timeout=25) == 0
        assert time.monotonic() - start < 15
        assert [client.wait_closed(2) for client in clients] == [1001] * 20
        assert unaffected.open


# ---- clients ---------------------------------------------------------------------------------------


def test_the_token_may_come_by_header(system):
    bearer = {"Authorization": f"Bearer {token(assessmentId='a-header')}"}
    with Client(system.edges[0].public, assessmentId="a-header", headers=bearer) as client:
        client.wait_type("connected")


def test_a_token_for_several_assessments(system):
    several = token(assessmentId=["a-one", "a-other"])
    with Client(system.edges[0].public, token=several, assessmentId="a-other") as client:
        client.wait_type("connected")
    assert refused(system.edges[0].public, token=several, assessmentId="a-third")[1] == "param_not_allowed"


def test_other_addresses_are_refused(system):
    edge = system.edges[0]
    good = token(assessmentId="a1")
    assert refused(edge.public, path="/elsewhere", token=good, assessmentId="a1")[0] == 404
    assert refused(edge.public, token=good)[:2] == (400, "param_missing")


def test_the_claim_is_a_setting(system):
    edge = system.edge([system.node_ingest], preset=PRESET, name="edge-claims",
                       env={"ASSESSMENT_CLAIM": "aid", "ALLOW_UNGRANTED": "true"}).wait_ready()
    with Client(edge.public, token=token(aid="a1"), assessmentId="a1") as client:
        client.wait_type("connected")
    with Client(edge.public, token=token(), assessmentId="a1") as client:
        client.wait_type("connected")
    assert refused(edge.public, token=token(aid="a2"), assessmentId="a1")[1] == "param_not_allowed"
    assert refused(edge.public, token=token(aid="a2"), assessmentId="a1:x")[1] == "param_not_allowed"
    assert refused(edge.public, token=token(), assessmentId="a1:x")[1] == "param_invalid"


@pytest.mark.parametrize("text, code", [
    ('{"type":"dance"}', "unknown_type"),
    ("{", "bad_json"),
    ("[]", "bad_message"),
    ("{}", "missing_field"),
    ('{"type":"subscribe","channels":["assessment:a-other"]}', "commands_disabled"),
    (b"\x00\x01", "bad_message"),
])
def test_what_a_client_may_not_send(system, text, code):
    with join_live(system.edges[0], system.producer, "a-bad") as client, \
            join_live(system.edges[0], system.producer, "a-bad") as neighbour:
        client.send(text)
        error = client.wait_type("error")[0]
        assert error["code"] == code and error["message"]
        system.producer.put("trading.order-filled", {"assessmentId": "a-bad", "code": code})
        for one in (client, neighbour):
            one.wait_for(lambda c: any(m.get("data", {}).get("code") == code for m in c.messages))
        assert neighbour.of("error") == []


def test_who_comes_late_is_told_how_things_stand(system):
    put = system.producer.put
    for price in (1, 2, 3):
        put("market-data.eth-ticks", {"symbol": "LATE", "price": price}, partition=0)
    put("market-data.btc-ticks", {"symbol": "LATE", "price": 7}, partition=1)
    for balance in (100, 200):
        put("assessment.balance-updated", {"assessmentId": "a-late", "balance": balance}, key="a-late")
    put("assessment.pnl-updated", {"assessmentId": "a-late", "pnl": -5}, key="a-late")
    put("trading.order-filled", {"assessmentId": "a-late", "orderId": "once"}, key="a-late")
    put("assessment.balance-updated", {"assessmentId": "a-late-2", "balance": 1}, key="a-late-2")
    expected = sorted(json.dumps(d, sort_keys=True) for d in (
        {"assessmentId": "a-late", "balance": 200, "topic": "assessment.balance-updated"},
        {"assessmentId": "a-late", "pnl": -5, "topic": "assessment.pnl-updated"}))

    def told(client):
        return sorted(json.dumps(m["data"], sort_keys=True) for m in client.wait_type("pnl_update", 2)[:2])

    def ingest_is_there():
        # What Kafka has only just taken, ingest may not have read yet: then it comes after the snapshot.
        with join(system.edges[0], "a-late") as client:
            return told(client) == expected
    wait_until(ingest_is_there, 20, "ingest reading what was written")
    for edge in system.edges:
        with join(edge, "a-late") as client:
            assert told(client) == expected

            def prices(c):
                return [(m["data"]["topic"], m["data"]["price"]) for m in c.messages
                        if m.get("data", {}).get("symbol") == "LATE"]
            client.wait_for(lambda c: len(prices(c)) == 2)
            time.sleep(0.3)  # nothing more comes
            assert sorted(prices(client)) == [("market-data.btc-ticks", 7), ("market-data.eth-ticks", 3)]
            assert len(client.of("pnl_update")) == 2 and client.of("position_update") == []


# ---- operations ------------------------------------------------------------------------------------


def test_health_and_ready_on_both_ports(system):
    edge = system.edges[0]
    for port in (edge.public, edge.ops):
        assert http_get(f"http://{port}/health")[0] == 200
        status, body = http_get(f"http://{port}/ready")
        document = json.loads(body)
        assert status == 200 and document["status"] == "ready" and document["kafka"] == "connected"
        assert "redis" not in document
        assert document["timestamp"].startswith("20")


def test_metrics_checklist(system):
    edge = system.edges[0]
    types = {
        "websocket_connections_total": "gauge",
        "websocket_messages_sent_total": "counter",
        "websocket_messages_received_total": "counter",
        "websocket_heartbeat_failures_total": "counter",
        "websocket_kafka_messages_processed_total": "counter",
        "websocket_kafka_consumer_lag": "gauge",
        "websocket_connection_duration_seconds": "histogram",
    }
    before = edge.metrics()
    assert {name: before.types.get(name) for name in types} == types
    assert before.sum("websocket_connections_total") == 0
    clients = [join_live(edge, system.producer, "a-metrics") for _ in range(3)]
    clients[0].send({"type": "pong"})
    system.producer.put("trading.order-filled", {"assessmentId": "a-metrics", "n": 1})
    for client in clients:
        client.wait_for(numbered)

    def moved():
        now = edge.metrics()
        return all((now.sum("websocket_connections_total") == 3,
                    now.sum("websocket_messages_sent_total")
                    >= before.sum("websocket_messages_sent_total") + 9,
                    now.sum("websocket_messages_received_total")
                    >= before.sum("websocket_messages_received_total") + 1,
                    now.sum("websocket_kafka_messages_processed_total")
                    >= before.sum("websocket_kafka_messages_processed_total") + 2))
    wait_until(moved, 5, "metrics that moved")
    # Lag by topic; what was read is no lag.
    wait_until(lambda: edge.metrics().labels("websocket_kafka_consumer_lag", "topic")
               == {*MARKET, *OWN}, 10, "the lag of every topic")
    wait_until(lambda: edge.metrics().sum("websocket_kafka_consumer_lag") == 0, 10, "no lag")
    for client in clients:
        client.close()
    ended = before.sum("websocket_connection_duration_seconds_count") + 3
    wait_until(lambda: edge.metrics().sum("websocket_connection_duration_seconds_count") == ended, 5,
               "three connections' duration")
    assert edge.metrics().sum("websocket_connections_total") == 0


def test_readiness_checklist(kafka_cluster, free_port, binaries, tmp_path, request):
    """The broker is absent at start, comes, goes and comes again; nothing of ours is restarted."""
    port = free_port()
    stack = stack_tool.Stack(binaries, tmp_path, "readiness")
    request.node.spillway_processes = stack.processes
    ingest = stack.ingest(preset=PRESET, env={"KAFKA_BROKERS": f"127.0.0.1:{port}"})
    edge = stack.edge([ingest], preset=PRESET)

    def is_not_ready():
        status, document = edge.ready()
        return (status, document.get("status"), document.get("kafka")) == (503, "not_ready", "disconnected")
    wait_until(is_not_ready, 10, "not ready without a broker")
    assert edge.get("/health")[0] == 200

    cluster = kafka_cluster(port=port)
    assessment.make_topics(cluster)
    start = time.monotonic()
    edge.wait_ready(15)
    print(f"ready {time.monotonic() - start:.1f} s after the broker and its topics")
    producer = stack_tool.Producer(cluster)
    client = join_live(edge, producer, "a-ready")

    cluster.stop()
    start = time.monotonic()
    wait_until(is_not_ready, 15, "not ready after the broker was lost")
    print(f"not ready {time.monotonic() - start:.1f} s after the broker was lost")
    assert client.open

    cluster.start(owned=True)
    start = time.monotonic()
    edge.wait_ready(20)
    print(f"ready {time.monotonic() - start:.1f} s after the broker came again")
    producer.put("trading.order-filled", {"assessmentId": "a-ready", "n": 1})
    assert client.wait_for(lambda c: numbered(c), timeout=15)[0]["data"]["n"] == 1
    client.close()
    stack.finish()


# ---- settings --------------------------------------------------------------------------------------


@pytest.fixture
def run(binaries, processes, tmp_path):
    """A function that runs a binary to its end: (exit code, output)."""
    def run_it(tier, *arguments, env=None):
        stack = stack_tool.Stack(binaries, tmp_path, "settings")
        process = processes.start(tier, [*stack.command(tier, preset=PRESET), *arguments], env)
        process.expected = False
        return process.wait(20), process.log_text()
    return run_it


def test_without_jwt_secret_an_edge_does_not_start(run):
    code, output = run("edge")
    assert code not in (0, None)
    assert "assessment.yaml:" in output and "environment variable JWT_SECRET is not set" in output
    code, output = run("edge", env={"JWT_SECRET": ""})
    assert code != 0 and "environment variable JWT_SECRET is empty" in output


def test_ingest_needs_no_jwt_secret(run):
    code, output = run("ingest", "--check-config")
    assert code == 0, output


@pytest.fixture
def settings(run):
    """A function that returns the configuration in force: settings("edge", env={...})["listen"]."""
    def printed(tier, **env):
        code, output = run(tier, "--print-config", env={"JWT_SECRET": SECRET, **env})
        assert code == 0, output
        assert SECRET not in output
        return yaml.safe_load(output)[tier]
    return printed


def test_environment_defaults(settings):
    edge, kafka = settings("edge"), settings("ingest")["kafka"]
    endpoint = edge["endpoints"][0]
    assert edge["listen"] == "0.0.0.0:3003"
    assert endpoint["heartbeat"] == {"interval": "30s", "timeout": "1m"}
    assert endpoint["params"][0]["claim"] == "assessmentId"
    assert endpoint["params"][0]["allow_ungranted"] is False
    assert (kafka["brokers"], kafka["client_id"], kafka["group_id"]) == (
        "localhost:9092", "websocket-service", "websocket-service-group")


def test_environment_variables(settings, run):
    edge = settings("edge", PORT="4004", NODE_ENV="production", HEARTBEAT_INTERVAL="5000",
                    CONNECTION_TIMEOUT="12000")
    assert edge["listen"] == "0.0.0.0:4004"
    assert edge["endpoints"][0]["heartbeat"] == {"interval": "5s", "timeout": "12s"}
    kafka = settings("ingest", KAFKA_BROKERS="k1:9092,k2:9092", KAFKA_CLIENT_ID="my-client",
                     KAFKA_GROUP_ID="my-group")["kafka"]
    assert (kafka["brokers"], kafka["client_id"], kafka["group_id"]) == (
        "k1:9092,k2:9092", "my-client", "my-group")
    code, output = run("edge", "--check-config",
                       env={"JWT_SECRET": SECRET, "HEARTBEAT_INTERVAL": "often"})
    assert code != 0 and "heartbeat.interval: expected a duration" in output


@pytest.mark.parametrize("env, name", [({"POD_NAME": "pod-7", "NODE_ID": "n1"}, "pod-7"),
                                       ({"NODE_ID": "n1"}, "n1")])
def test_the_name_of_the_node(settings, env, name):
    assert settings("edge", **env)["node_id"] == settings("ingest", **env)["node_id"] == name


def test_redis_settings_are_ignored_with_a_warning(system):
    edge = system.edge([system.node_ingest], preset=PRESET, name="edge-redis",
                       env={"REDIS_URL": "redis://nowhere", "REDIS_PASSWORD": "hush"}).wait_ready()
    log = edge.process.log_text()
    assert "REDIS_URL" in log and "REDIS_PASSWORD" in log and "hush" not in log
    # Neither POD_NAME nor NODE_ID: a name is made up.
    with edge.rpc() as client:
        first = client.call("spillway.v1.AdminService/GetStats")["node_id"]
    with system.edges[0].rpc() as client:
        assert client.call("spillway.v1.AdminService/GetStats")["node_id"] == "edge1"
    assert first and first != "edge1"
