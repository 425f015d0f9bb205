"""The Kafka of the tests does what the other tests rely on."""

import os
import time

import confluent_kafka
import kafka as kafka_tool
import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin import ResourcePatternType, ResourceType


def produce(config, topic, values, partition=0):
    failures = []
    producer = confluent_kafka.Producer({**config, "linger.ms": 0})
    for value in values:
        producer.produce(topic, value, partition=partition,
                         on_delivery=lambda error, _: error and failures.append(error))
    assert producer.flush(20) == 0
    assert not failures


def consume(config, topic, count, seconds=20):
    """The first `count` values of partition 0, read without a group."""
    consumer = confluent_kafka.Consumer({**config, "group.id": "unused", "enable.auto.commit": False})
    try:
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        deadline, values = time.monotonic() + seconds, []
        while len(values) < count and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is not None and not message.error():
                values.append(message.value())
        return values
    finally:
        consumer.close()


def test_records_pass_in_order(kafka, make_topic):
    topic = make_topic(partitions=3)
    values = [b"%d" % n for n in range(100)]
    produce(kafka.client_config(), topic, values)
    assert consume(kafka.client_config(), topic, 100) == values


def test_data_survives_a_kill_and_a_restart(kafka_cluster):
    cluster = kafka_cluster()
    cluster.create_topic("kept")
    produce(cluster.client_config(), "kept", [b"one"])
    cluster.kill(1)
    assert [row["state"] for row in cluster.status()] == ["down"]
    cluster.restart(1)
    produce(cluster.client_config(), "kept", [b"two"])
    assert consume(cluster.client_config(), "kept", 2) == [b"one", b"two"]


def test_a_paused_broker_answers_nothing_until_resumed(kafka_cluster):
    cluster = kafka_cluster()
    port = cluster.status()[0]["port"]
    cluster.pause(1)
    assert cluster.status()[0]["state"] == "paused"
    assert kafka_tool.brokers_seen(port, timeout=0.5) is None
    cluster.resume(1)
    cluster.wait_until_up()


def test_three_brokers_lose_one(kafka_cluster):
    cluster = kafka_cluster(brokers=3)
    cluster.create_topic("replicated", config={"min.insync.replicas": "1"})
    produce(cluster.client_config(), "replicated", [b"one"])
    cluster.kill(2)
    produce(cluster.client_config(), "replicated", [b"two"])
    assert consume(cluster.client_config(), "replicated", 2) == [b"one", b"two"]
    cluster.restart(2)
    assert [row["state"] for row in cluster.status()] == ["running"] * 3


def test_stopping_leaves_nothing(kafka_available, tmp_path):
    cluster = kafka_tool.Cluster(tmp_path / "cluster")
    cluster.start(owned=True)
    pid = cluster.status()[0]["pid"]
    cluster.stop(wipe=True)
    assert not (tmp_path / "cluster").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_sasl_over_tls_lets_in_the_right_password_only(kafka_cluster):
    cluster = kafka_cluster(sasl=True)
    cluster.create_topic("guarded")
    config = cluster.client_config()
    assert config["security.protocol"] == "SASL_SSL"
    produce(config, "guarded", [b"secret"])
    assert consume(config, "guarded", 1) == [b"secret"]

    errors = []
    stranger = confluent_kafka.Producer(
        {**config, "sasl.password": "wrong", "error_cb": errors.append})
    deadline = time.monotonic() + 20
    while not errors and time.monotonic() < deadline:
        stranger.poll(0.1)
    assert errors[0].code() == confluent_kafka.KafkaError._AUTHENTICATION

    admin = cluster.admin()
    denial = AclBinding(ResourceType.TOPIC, "guarded", ResourcePatternType.LITERAL,
                        f"User:{kafka_tool.SCRAM_USER}", "*", AclOperation.READ,
                        AclPermissionType.DENY)
    admin.create_acls([denial])[denial].result(10)
    assert consume(config, "guarded", 1, seconds=2) == []
