"""A WebSocket client as users write it: the `websockets` library, and a thread that takes what comes."""

import contextlib
import json
import threading
import time
import urllib.parse

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


class Client:
    """Connects, and gathers messages with the time at which they came. Answers pings unless told not to."""

    def __init__(self, address, path="/ws", pong=True, headers=None, **query):
        query = {name: value for name, value in query.items() if value is not None}
        self._pong = pong
        self._context = contextlib.ExitStack()
        self._socket = self._context.enter_context(connect(
            f"ws://{address}{path}?{urllib.parse.urlencode(query)}", additional_headers=headers,
            open_timeout=10, close_timeout=2, ping_interval=None, max_size=64 << 20, proxy=None))
        self._news = threading.Condition()
        self.messages = []
        self.times = []
        self.close_code = None
        self.close_reason = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for text in self._socket:
                message = json.loads(text)
                if message.get("type") == "ping" and self._pong:
                    self.send({"type": "pong"})
                with self._news:
                    self.messages.append(message)
                    self.times.append(time.monotonic())
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        with self._news:
            protocol = self._socket.protocol
            self.close_code, self.close_reason = protocol.close_code, protocol.close_reason
            self._news.notify_all()

    def send(self, message):
        self._socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def of(self, *types):
        """The messages so far of these types."""
        with self._news:
            return [message for message in self.messages if message["type"] in types]

    def wait_for(self, condition, timeout=10, what="messages"):
        """Waits until condition(client) is true and returns its value."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                value = condition(self)
                if value:
                    return value
                left = deadline - time.monotonic()
                assert left > 0, (f"no {what} within {timeout} s; closed: {self.close_code}; "
                                  f"got {len(self.messages)}: {self.messages[-5:]}")
                self._news.wait(left)

    def wait_type(self, kind, count=1, timeout=10):
        """Waits for `count` messages of a type and returns all of that type."""
        def enough(_):
            found = [message for message in self.messages if message["type"] == kind]
            return len(found) >= count and found
        return self.wait_for(enough, timeout, f"{count} of {kind}")

    def wait_closed(self, timeout=10):
        """Waits for the end of the connection and returns the close code."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), f"the connection is still open after {timeout} s"
        return self.close_code

    @property
    def open(self):
        return self._thread.is_alive()

    def close(self):
        self._context.close()
        self._thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def let_in(address, timeout=15, **options):
    """A client of a node that may have just begun: it comes back for as long as it is asked to."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return Client(address, **options)
        except InvalidStatus as refusal:
            # As long as the node does not know who is blocked, which it says before anybody is ready.
            pending = refusal.response.status_code == 503 and b"control_pending" in refusal.response.body
            if not pending or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def refused(address, **options):
    """(HTTP status, error code, message) of an upgrade that is to be refused."""
    try:
        Client(address, **options).close()
    except InvalidStatus as refusal:
        response = refusal.response
        error = json.loads(response.body)["error"]
        return response.status_code, error["code"], error["message"]
    raise AssertionError("the connection was accepted")
