#!/usr/bin/env python3
"""A service for edge.auth_service that lets everybody in. Prints its port; ends with its standard input."""

import asyncio
import re
import sys

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
BODY = b'{"allowed":true}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Caller(asyncio.Protocol):
    """A connection, over which one request comes after another."""

    def connection_made(self, transport):
        self.transport, self.bytes = transport, b""

    def data_received(self, data):
        self.bytes += data
        while True:
            head = self.bytes.find(b"\r\n\r\n")
            if head < 0:
                return
            length = LENGTH.search(self.bytes, 0, head + 2)
            size = head + 4 + (int(length[1]) if length else 0)
            if len(self.bytes) < size:
                return
            self.bytes = self.bytes[size:]
            self.transport.write(ANSWER)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Caller, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
