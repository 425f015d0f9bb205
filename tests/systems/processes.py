"""Starting the real binaries, watching them, and ending them."""

import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import kafka

# Of the environment only this reaches a process, besides what its test gives it.
PASSED_ON = ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")


def http_get(url, timeout=2):
    """(status, body) of a GET, whatever the status; (None, reason) where nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return None, str(error)


def wait_until(condition, timeout=20, what="the condition"):
    """Polls until condition() is true and returns its value; fails the test after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(0.02)


class Process:
    """One running program; its standard output and error go to a file together."""

    def __init__(self, name, command, env, log):
        self.name, self.log = name, pathlib.Path(log)
        self.expected = True  # to end well when the test is over
        inherited = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        with open(self.log, "ab") as stream:
            self._popen = subprocess.Popen(
                [str(part) for part in command], env={**inherited, **(env or {})},
                stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
                preexec_fn=kafka.die_with_parent)

    @property
    def pid(self):
        return self._popen.pid

    @property
    def running(self):
        return self._popen.poll() is None

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, lines=40):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def wait_for_log(self, pattern, timeout=20):
        """Waits for a line of the log in which the regular expression is found; returns the match."""
        return wait_until(lambda: re.search(pattern, self.log_text()), timeout,
                          f"{self.name} logging {pattern!r}")

    def wait_ready(self, url, timeout=30):
        """Waits until a GET of the URL is answered with 200."""
        deadline = time.monotonic() + timeout
        while True:
            status, body = http_get(url)
            if status == 200:
                return body
            if not self.running:
                raise AssertionError(
                    f"{self.name} ended with code {self._popen.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} is not ready after {timeout} s: {status} {body}\n"
                                     f"{self.log_tail()}")
            time.sleep(0.05)

    def wait(self, timeout=20):
        """Waits for the end and returns the exit code (negative: the signal that ended it)."""
        return self._popen.wait(timeout)

    def signal(self, number):
        self._popen.send_signal(number)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """kill -9, as part of a test."""
        self.expected = False
        self._popen.kill()
        self.wait()

    def stop(self, timeout=20):
        """SIGTERM; returns the exit code. Kills what does not end in time, and fails then."""
        self.expected = False
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self.wait()
            raise AssertionError(f"{self.name} did not end within {timeout} s of SIGTERM") from None


class Processes:
    """What a test has started. When the test is over, whatever still runs has to stop by SIGTERM with 0."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self.started = []

    def start(self, name, command, env=None, ready_url=None, timeout=30):
        """Starts a program; with a ready_url, waits until that answers 200."""
        log = self._folder / f"{len(self.started)}-{name}.log"
        process = Process(name, command, env, log)
        self.started.append(process)
        if ready_url:
            process.wait_ready(ready_url, timeout)
        return process

    def finish(self):
        """Ends everything and returns what was wrong about it, one string each."""
        problems = []
        for process in reversed(self.started):
            if not process.expected:
                if process.running:
                    process.kill()
                continue
            if not process.running:
                problems.append(f"{process.name} ended by itself with code {process.wait()}")
                continue
            process.resume()
            try:
                code = process.stop()
            except AssertionError as error:
                problems.append(str(error))
                continue
            if code != 0:
                problems.append(f"{process.name} ended with code {code} on SIGTERM")
        return problems
