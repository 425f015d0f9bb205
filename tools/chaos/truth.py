"""What Kafka holds, read from Kafka itself: the committed records of a topic, by channel and partition."""

import collections
import time

import numpy as np


class TruthError(Exception):
    """Kafka could not be read to its end."""


class Topic:
    """One topic as it was from its making to its end: sorted offsets, and the numbers of their stamps (0: none)."""

    def __init__(self, records):
        """`records`: (channel, partition, offset, number) in the order of each partition."""
        lists = collections.defaultdict(lambda: ([], []))
        for channel, partition, offset, number in records:
            offsets, numbers = lists[channel, partition]
            offsets.append(offset)
            numbers.append(number)
        self._arrays = {key: (np.array(offsets, np.int64), np.array(numbers, np.int64))
                        for key, (offsets, numbers) in lists.items()}
        self.count = sum(len(offsets) for offsets, _ in self._arrays.values())

    _NOTHING = (np.empty(0, np.int64), np.empty(0, np.int64))

    @classmethod
    def merged(cls, topics):
        """One topic, read several times: what retention has removed since is in the older ones."""
        whole = cls([])
        for key in {key for topic in topics for key in topic._arrays}:
            parts = [topic.of(*key) for topic in topics]
            offsets, first = np.unique(np.concatenate([part[0] for part in parts]), return_index=True)
            whole._arrays[key] = (offsets, np.concatenate([part[1] for part in parts])[first])
        whole.count = sum(len(offsets) for offsets, _ in whole._arrays.values())
        return whole

    def of(self, channel, partition):
        return self._arrays.get((channel, partition), self._NOTHING)

    def partitions(self, channel):
        return {p for c, p in self._arrays if c == channel}


def parse(value, headers, channels):
    """Channel and number of a record; the number is 0 where another than spillway-load wrote it."""
    at = value.find(b'"l":"') + 5
    if at >= 5:
        return int(value[at:at + 8], 16), int(value[at + 8:at + 16], 16)
    return channels[dict(headers)["channel"].decode()], 0


def read(bootstrap, topic, channels, silence=60):
    """All that is committed. `channels`: codes (stream << 24 | number) by name."""
    from confluent_kafka import Consumer, KafkaError, TopicPartition, OFFSET_BEGINNING
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "checker", "isolation.level": "read_committed",
                         "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "error",
                         "queued.min.messages": 200000})
    try:
        partitions = set(consumer.list_topics(topic, timeout=silence).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
        return Topic(_records(consumer, partitions, channels, KafkaError, silence))
    finally:
        consumer.close()


def _records(consumer, partitions, channels, kafka_error, silence):
    ended, heard = set(), time.monotonic()
    while ended != partitions:
        messages = consumer.consume(10000, 0.5)
        if messages:
            heard = time.monotonic()
        elif time.monotonic() - heard > silence:
            raise TruthError(f"Kafka said nothing for {silence} s; {len(ended)} of {len(partitions)} partitions are read")
        for message in messages:
            error = message.error()
            if error is None:
                channel, number = parse(message.value(), message.headers(), channels)
                yield channel, message.partition(), message.offset(), number
            elif error.code() == kafka_error._PARTITION_EOF:  # pylint: disable=protected-access
                ended.add(message.partition())
            elif not error.retriable() and error.fatal():
                raise TruthError(error.str())
