"""A TCP proxy for faults between two processes: proxy.py PORT=TARGET_PORT ...

Everything on 127.0.0.1. Commands by standard input, one a line: `cut PORT` (connections end, new ones are refused),
`stall PORT` (connections stay and carry nothing), `mend PORT`. Ends with its input.
"""

import asyncio
import sys


class Gate:
    """One listening port and what passes through it."""

    def __init__(self, port, target):
        self.port, self.target = port, target
        self.open = asyncio.Event()
        self.open.set()
        self.cut = False
        self.writers = set()

    async def serve(self):
        await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _accept(self, reader, writer):
        if self.cut:
            writer.transport.abort()
            return
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, other_writer}
        self.writers |= ends
        tasks = [asyncio.create_task(self._pump(reader, other_writer)),
                 asyncio.create_task(self._pump(other_reader, writer))]
        # One end is over: so is the other.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        self.writers -= ends
        for end in ends:
            end.transport.abort()

    async def _pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                await self.open.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    def command(self, what):
        if what == "cut":
            self.cut = True
            for writer in self.writers:
                writer.transport.abort()
        elif what == "stall":
            self.open.clear()
        else:
            self.cut = False
            self.open.set()


async def main():
    gates = {}
    for pair in sys.argv[1:]:
        port, target = map(int, pair.split("="))
        gates[port] = Gate(port, target)
        await gates[port].serve()
    print("listening", flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        what, port = line.decode().split()
        gates[int(port)].command(what)


asyncio.run(main())
