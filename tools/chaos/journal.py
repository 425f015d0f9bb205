"""Reads what spillway-load's clients wrote down (docs/load-tool.md, The journal)."""

import glob
import struct

import numpy as np

SOURCE, CONNECTED, SHOWN, SUBSCRIBED, JOINED, CHECKPOINT, EVENT, GAP, END = range(1, 10)
REASONS = {0: "other", 1: "retention", 2: "reset", 3: "limit", 4: "slow"}
NO_SOURCE = 0xFFFF
PENDING = 1
ENTRY = np.dtype([("kind", "u1"), ("detail", "u1"), ("source", "<u2"), ("client", "<u4"), ("channel", "<u4"),
                  ("unused", "<u4"), ("from", "<i8"), ("to", "<i8")])
MAGIC = b"SPWLJRNL"


class JournalError(Exception):
    """A file that is no journal."""


class Journal:
    """One worker's file: `entries`, an array, and `partitions`, by source number; -1 where a name says none."""

    def __init__(self, path):
        with open(path, "rb") as file:
            header = file.read(ENTRY.itemsize)
        if len(header) < ENTRY.itemsize or header[:8] != MAGIC or struct.unpack("<II", header[8:16]) != (1, ENTRY.itemsize):
            raise JournalError(f"{path} is no journal of version 1")
        # What is being written may end within an entry.
        count = (path_size(path) - len(header)) // ENTRY.itemsize
        self.entries = (np.memmap(path, ENTRY, "r", len(header), (count,)) if count else np.empty(0, ENTRY))
        self.names = self._names()
        self.partitions = np.full(NO_SOURCE + 1, -1, np.int64)
        for number, name in self.names.items():
            partition = name.rpartition("@")[0].rpartition("/")[2]
            self.partitions[number] = int(partition) if partition.isdigit() else -1

    def _names(self):
        names = {}
        for at in np.flatnonzero(self.entries["kind"] == SOURCE):
            entry = self.entries[at]
            text = entry.tobytes()[16:16 + int(entry["detail"])]
            names[int(entry["source"])] = names.get(int(entry["source"]), b"") + text
        return {number: text.decode() for number, text in names.items()}


def path_size(path):
    with open(path, "rb") as file:
        return file.seek(0, 2)


def read(path):
    """The journals of all workers of a run that was given `--journal PATH`."""
    files = sorted(glob.glob(glob.escape(str(path)) + ".*"))
    if not files:
        raise JournalError(f"there is no {path}.0")
    return [Journal(file) for file in files]
