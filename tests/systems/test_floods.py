"""Clients that mean harm, at a real edge, while another client has to be served as ever."""

import base64
import contextlib
import json
import os
import re
import socket
import struct
import zlib

import pytest
import stack as stack_tool
from client import Client
from processes import wait_until

MIB = 1 << 20


@pytest.fixture
def system(kafka, make_topic, binaries, tmp_path, request):
    """An edge with small limits, and a client of it who means well."""
    stack = stack_tool.Stack(binaries, tmp_path, request.node.name)
    request.node.spillway_processes = stack.processes
    topic = make_topic()
    stack.audit = tmp_path / "audit.jsonl"
    stack.node_ingest = stack.ingest(config={"ingest": {
        "kafka": {"brokers": kafka.bootstrap},
        "routes": [{"name": "r", "topics": [topic], "emit": [{"channels": ["all"]}]}]}})
    stack.node_edge = stack.edge([stack.node_ingest], config={"edge": {
        "endpoints": [{"path": "/ws", "auth": {"secret": stack_tool.SECRET, "required": False},
                       "compression": {"mode": "always"}}],
        "channels": [{"pattern": "**", "access": "anyone"}],
        "audit": {"file": {"path": str(stack.audit)}, "connections": True},
        "limits": {"messages": {"count": 10, "per": "1h", "burst": 50}, "max_message_bytes": "64KiB",
                   "handshake_timeout": "60s", "max_handshakes": 20_000}}})
    stack.node_edge.wait_ready()
    stack.producer = stack_tool.Producer(kafka)
    stack.good = Client(stack.node_edge.public)
    stack.good.send({"type": "subscribe", "channels": ["all"]})
    stack.good.wait_type("subscribed")

    def served(mark):
        """The client who means well gets what is published now."""
        stack.producer.put(topic, {"mark": mark})
        stack.good.wait_for(lambda c: any(m["data"] == {"mark": mark} for m in c.messages if m["type"] == "event"),
                            what=f"event {mark}")
    stack.served = served
    yield stack
    stack.good.close()
    stack.finish()


def raw(edge, *headers, target="/ws"):
    """A socket after the upgrade, and what the server said to it."""
    host, port = edge.public.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)), timeout=20)
    head = [f"GET {target} HTTP/1.1", f"Host: {edge.public}", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", *headers]
    sock.sendall(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = sock.recv(1)
        if not data:
            break
        answer += data
    return sock, answer.decode("latin-1")


def frame(first, payload=b""):
    """A client's frame; its mask is zero."""
    size = len(payload)
    length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0xFE, size) if size < 65536 \
        else struct.pack("!BQ", 0xFF, size)
    return bytes([first]) + length + bytes(4) + payload


def frames(sock):
    """What the server sends until it closes: (first byte, payload)."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while True:
            piece = sock.recv(65536)
            if not piece:
                break
            data += piece
    found = []
    while len(data) >= 2:
        size, at = data[1], 2
        if size == 126:
            size, at = struct.unpack("!H", data[2:4])[0], 4
        found.append((data[0], data[at:at + size]))
        data = data[at + size:]
    return found


def flood(sock, data):
    """Sends as much of it as the server takes before it closes."""
    with contextlib.suppress(ConnectionError):
        sock.sendall(data)


def test_pings_are_answered_up_to_the_rate_of_messages(system):
    sock, answer = raw(system.node_edge)
    assert answer.startswith("HTTP/1.1 101")
    flood(sock, frame(0x89, b"p") * 20_000)
    got = frames(sock)
    assert len([1 for first, _ in got if first == 0x8A]) == 50
    assert got[-1][0] == 0x88
    assert struct.unpack("!H", got[-1][1][:2])[0] == 4004
    system.served("pings")
    metrics = system.node_edge.metrics()
    assert metrics.sum("spillway_edge_rate_limited_total") == 16
    assert metrics.sum("spillway_edge_misuse_closes_total") == 1


def test_empty_frames_without_end(system):
    sock, _ = raw(system.node_edge)
    flood(sock, frame(0x01, b"{") + frame(0x00) * 200_000)
    got = frames(sock)
    assert struct.unpack("!H", got[-1][1][:2])[0] == 1008
    system.served("empties")


def test_a_compression_bomb_costs_its_sender_the_connection(system):
    sock, answer = raw(system.node_edge, "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover")
    assert "permessage-deflate" in answer
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(b'"' + b"a" * (60 * MIB)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    bomb = bomb[:65_000]  # 60 MB and more in what a message may have: stored bytes are bounded, inflated ones, too
    before = memory(system.node_edge.process.pid)
    flood(sock, frame(0xC1, bomb))
    got = frames(sock)
    assert struct.unpack("!H", got[-1][1][:2])[0] == 1009
    assert memory(system.node_edge.process.pid) - before < 16 * MIB
    system.served("bomb")


def memory(pid):
    """Resident bytes."""
    text = open(f"/proc/{pid}/status", encoding="ascii").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024


def test_10000_half_open_connections_keep_nobody_out(system):
    host, port = system.node_edge.public.rsplit(":", 1)
    half = []
    try:
        for number in range(10_000):
            sock = socket.socket()
            half.append(sock)
            sock.bind((f"127.0.0.{1 + number % 4}", 0))
            sock.connect((host, int(port)))
            if number % 2:
                sock.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgr")
        wait_until(lambda: system.node_edge.metrics().sum("spillway_edge_handshakes") >= 9_900,
                   what="the edge having all of them")
        system.served("half open")
        with Client(system.node_edge.public) as late:
            late.wait_type("connected")
    finally:
        for sock in half:
            sock.close()
    wait_until(lambda: system.node_edge.metrics().sum("spillway_edge_handshakes") < 100,
               what="the edge noticing that they are gone")
    system.served("gone")


def test_what_clients_send_breaks_no_line_of_a_log(system):
    """Every line is one JSON document of the edge's own making, whatever was in a request."""
    nasty = '%0d%0a{"ts":"x","level":"error","msg":"forged"}'
    headers = ('User-Agent: a\t"\\\x85\xffb', 'Origin: https://x"\\', 'X-Correlation-Id: x"}{"msg":"forged',
               "Authorization: Bearer a.b.c")
    for target in (f"/ws?token={nasty.replace(' ', '%20')}", f"/ws?x={nasty}", "/ws?%0d%0a=%00", f"/{nasty}", "/ws"):
        sock, _ = raw(system.node_edge, *headers, target=target)
        sock.sendall(frame(0x81, b'{"type":"subscribe","channels":["a\\r\\n{\\"msg\\":\\"forged\\"}"]}'))
        sock.close()
    for header in ("X-Correlation-Id: a\nmsg: forged", "Origin: a\x00b", "User-Agent: a\rb"):
        sock, answer = raw(system.node_edge, header)
        assert answer.startswith("HTTP/1.1 400"), answer
        sock.close()
    system.served("nasty")
    wait_until(lambda: len(system.audit.read_text(encoding="utf-8").splitlines()) >= 5, what="lines of the audit log")
    for text in (system.audit.read_text(encoding="utf-8"), system.node_edge.process.log_text()):
        for line in text.splitlines():
            document = json.loads(line)
            assert document.get("msg") != "forged", line
