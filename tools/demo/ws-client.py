#!/usr/bin/env python3
"""Prints what a WebSocket server sends, one message a line, and answers its pings: ws-client.py ws://ADDRESS

Needs nothing but Python. Ctrl-C closes the connection. Lines from standard input are sent.
"""

import base64
import hashlib
import json
import os
import socket
import struct
import sys
import threading
import urllib.parse

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Connection:
    """The client's side of RFC 6455, without extensions. send() may be called from any thread."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "ws":
            raise SystemExit("ws-client: the address begins with ws://")
        self._lock = threading.Lock()
        self._socket = socket.create_connection((parts.hostname, parts.port or 80))
        self._stream = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._socket.sendall((f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              f"Sec-WebSocket-Key: {key}\r\n\r\n").encode())
        status = self._stream.readline().decode().strip()
        headers = {}
        while line := self._stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if " 101 " not in f"{status} ":
            body = self._stream.read(int(headers.get("content-length", 0))).decode()
            raise SystemExit(f"ws-client: refused: {status}\n{body}")
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if headers.get("sec-websocket-accept") != accept:
            raise SystemExit("ws-client: this is no WebSocket server")

    def send(self, opcode, payload):
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 1 << 16:
            head += bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", size)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        with self._lock:
            self._socket.sendall(head + mask + masked)

    def messages(self):
        """Yields texts until the connection ends; then .closed is (code, reason)."""
        self.closed = (1006, "the connection was lost")
        parts = []
        while True:
            head = self._stream.read(2)
            if len(head) < 2:
                return
            final, opcode, size = head[0] & 0x80, head[0] & 0x0F, head[1] & 0x7F
            if size >= 126:
                size = int.from_bytes(self._stream.read(2 if size == 126 else 8), "big")
            payload = self._stream.read(size)
            if opcode == PING:
                self.send(PONG, payload)
            elif opcode == CLOSE:
                self.closed = (int.from_bytes(payload[:2], "big") if payload else 1005,
                               payload[2:].decode(errors="replace"))
                self.send(CLOSE, payload[:2])
                return
            elif opcode in (CONTINUATION, TEXT, BINARY):
                parts.append(payload)
                if final:
                    yield b"".join(parts).decode(errors="replace")
                    parts = []


def send_input(connection):
    for line in sys.stdin:
        connection.send(TEXT, line.strip().encode())


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        raise SystemExit(__doc__)
    connection = Connection(sys.argv[1])
    threading.Thread(target=send_input, args=(connection,), daemon=True).start()
    try:
        for text in connection.messages():
            print(text, flush=True)
            try:
                is_ping = json.loads(text).get("type") == "ping"
            except (ValueError, AttributeError):
                is_ping = False
            if is_ping:
                connection.send(TEXT, b'{"type":"pong"}')
    except KeyboardInterrupt:
        connection.send(CLOSE, struct.pack(">H", 1000))
        return 0
    except BrokenPipeError:  # whoever read the lines has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    print(f"closed: {connection.closed[0]} {connection.closed[1]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
