"""A second producer, with transactions: some are aborted, some stay open for a while. What it aborts nobody may see."""

import json
import random
import threading
import time

from confluent_kafka import KafkaException, Producer


class Companion:
    """A thread that writes small transactions all the time, and what faults ask for."""

    def __init__(self, bootstrap, topic, places, seed, every=0.1):
        """`places`: channel names with the partitions that its records may go to; it may grow."""
        self.topic, self.places, self.every = topic, places, every
        self._settings = {"bootstrap.servers": bootstrap, "transactional.id": f"companion-{seed}", "linger.ms": 1, "log_level": 2,
                          "transaction.timeout.ms": 20000}
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._abort_until = self._open_until = 0.0
        self.committed = self.aborted = self.failed = 0
        self._producer = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def abort_for(self, seconds):
        """Every transaction of this time is aborted."""
        self._abort_until = time.monotonic() + seconds

    def hold_for(self, seconds):
        """The next transaction stays open so long: nothing behind it can be read before."""
        self._open_until = time.monotonic() + seconds

    def stop(self):
        """All of its transactions have ended when this returns."""
        self._over.set()
        self._thread.join(120)
        if self._thread.is_alive():
            raise KafkaException("the second producer does not end")
        deadline = time.monotonic() + 120
        while True:
            try:
                return self._connect()  # which ends what was open
            except KafkaException:
                if time.monotonic() > deadline:
                    raise

    def _connect(self):
        self._producer = None  # the old one is closed first
        producer = Producer(self._settings)
        producer.init_transactions(20)
        self._producer = producer

    def _run(self):
        while not self._over.is_set():
            try:
                if self._producer is None:
                    self._connect()
                self._transaction()
            except KafkaException:
                # Committed or not: Kafka knows.
                self.failed += 1
                self._producer = None
            self._over.wait(self.every)

    def _transaction(self):
        self._producer.begin_transaction()
        for _ in range(self._random.randint(1, 8)):
            self._write()
        if time.monotonic() < self._open_until:
            for name in list(self.places):
                self._write(name)
            self._producer.flush(5)
            while time.monotonic() < self._open_until and not self._over.is_set():
                time.sleep(0.02)
        if time.monotonic() < self._abort_until or self._random.random() < 0.3:
            self._producer.flush(5)  # they are in Kafka, and stay unseen
            self._producer.abort_transaction(20)
            self.aborted += 1
        else:
            self._producer.commit_transaction(20)
            self.committed += 1

    def _write(self, name=None):
        name = name or self._random.choice(list(self.places))
        partition = self._random.choice(self.places[name])
        self._producer.produce(self.topic, json.dumps({"c": name, "companion": True}).encode(), b"companion",
                               partition=partition, headers={"channel": name})
        self._producer.poll(0)
