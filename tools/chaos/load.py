"""The clients and the publisher of a run: spillway-load, started and ended by us."""

import glob
import json
import pathlib
import subprocess
import threading


class LoadError(Exception):
    """It did not do what it was asked; the message says what."""


class Load:
    """A spillway-load with --journal and --attended."""

    def __init__(self, command, journal, env, log, preexec):
        self.journal, self._log = journal, log
        for old in glob.glob(glob.escape(str(journal)) + ".*"):
            pathlib.Path(old).unlink()
        with open(log, "wb") as stream:
            self._popen = subprocess.Popen([*map(str, command), f"--journal={journal}"], env=env, stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=stream, text=True, preexec_fn=preexec)
        self._drained, self._lines = threading.Event(), []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._popen.stdout:
            if line.strip() == "drained":
                self._drained.set()
            else:
                self._lines.append(line)
        self._drained.set()  # or it has ended

    def written(self):
        """Bytes of the journals: they grow while clients get anything."""
        return sum(pathlib.Path(file).stat().st_size for file in glob.glob(glob.escape(str(self.journal)) + ".*"))

    def check_alive(self):
        if self._popen.poll() is not None:
            raise LoadError(f"spillway-load ended with {self._popen.returncode} before its time; see {self._log}")

    def drain(self, seconds):
        """Nothing more is published; returns when what was has come, or nothing comes any more."""
        self._popen.stdin.write("\n")
        self._popen.stdin.flush()
        if not self._drained.wait(seconds):
            raise LoadError(f"spillway-load has not ended publishing after {seconds} s; see {self._log}")
        self.check_alive()

    def finish(self):
        """Its report. The journals are complete then."""
        self._popen.stdin.close()
        try:
            self._popen.wait(120)
        except subprocess.TimeoutExpired:
            raise LoadError(f"spillway-load does not end; see {self._log}") from None
        self._reader.join(10)
        if self._popen.returncode:
            raise LoadError(f"spillway-load ended with {self._popen.returncode}; see {self._log}")
        return json.loads("".join(self._lines))

    def kill(self):
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
