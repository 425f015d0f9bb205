#!/usr/bin/env python3
"""A real Apache Kafka (KRaft) on loopback, for tests and for trying things out.

As a program: kafka.py --help. As a module: Cluster(directory).start(), .bootstrap, .create_topic(), ...
Kafka comes from Maven Central once, into a cache; after that no network is needed. Needs Java 17, Maven
for the first time, and confluent-kafka for topics only. Every broker listens to clients on one port, and
where SASL is asked for on a second, plain one, over which brokers and this program talk.
"""

import argparse
import ctypes
import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import xml.sax.saxutils

VERSION = "4.3.1"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
# The last line of releases that forgives a fault of old clients' SCRAM: librdkafka before 2.6.1 sends its nonce twice
# (https://github.com/confluentinc/librdkafka/pull/4895), and Kafka 4 refuses that.
LENIENT_VERSION = "3.9.2"
DEFAULT_DIRECTORY = pathlib.Path(tempfile.gettempdir()) / f"spillway-kafka-{os.getuid()}"

# Any Kafka cluster id will do; a fixed one makes a broker's data recognisable.
CLUSTER_ID = "c3BpbGx3YXktdGVzdHMtMQ"
SCRAM_USER, SCRAM_PASSWORD = "spillway", "spillway-secret"

_LOG4J = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4")
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class KafkaError(Exception):
    """Something about the cluster went wrong; the message says what and where to look."""


# ---- getting Kafka ---------------------------------------------------------------------------------


def home(version=VERSION):
    """Where a version is kept; its jars are in libs, which is complete or not there."""
    return CACHE / "spillway" / f"kafka-{version}"


def missing(version=VERSION):
    """Why Kafka cannot be had on this machine, or None."""
    if not shutil.which("java"):
        return "java is not installed (Debian: default-jre-headless)"
    if not (home(version) / "libs").is_dir() and not shutil.which("mvn"):
        return "mvn is not installed (Debian: maven)"
    return None


def fetch(version=VERSION):
    """Makes sure that Kafka's jars are in the cache."""
    folder = home(version)
    if (folder / "libs").is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "libs").is_dir():
            return
        if missing(version):
            raise KafkaError(missing(version))
        print(f"kafka: downloading Apache Kafka {version}, once", file=sys.stderr)
        partial = folder / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        (folder / "pom.xml").write_text(_pom(version), encoding="utf-8")
        run = subprocess.run(
            ["mvn", "-B", "-ntp", "-C", "-f", folder / "pom.xml", _COPY, "-DincludeScope=runtime",
             f"-DoutputDirectory={partial}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=600)
        if run.returncode or not (partial / f"kafka_2.13-{version}.jar").exists():
            errors = [line for line in run.stdout.splitlines() if "ERROR" in line][:5]
            raise KafkaError("\n".join(["the download failed:", *errors]))
        partial.rename(folder / "libs")  # complete, or not there at all


def _pom(version):
    def coordinates(*values):
        return "".join(f"<{tag}>{xml.sax.saxutils.escape(value)}</{tag}>"
                       for tag, value in zip(("groupId", "artifactId", "version"), values))
    dependencies = "".join(f"<dependency>{coordinates(*c)}</dependency>"
                           for c in (("org.apache.kafka", "kafka_2.13", version), _LOG4J))
    return ("<project><modelVersion>4.0.0</modelVersion>"
            f"{coordinates('spillway', 'kafka-for-tests', '1')}<packaging>pom</packaging>"
            f"<dependencies>{dependencies}</dependencies></project>\n")


# ---- processes and ports ---------------------------------------------------------------------------


def free_ports(count):
    """Ports of loopback that are free, all of them different; below those that the system gives out, so that nobody
    gets them by chance until a broker, which takes seconds to start, has them."""
    sockets = []
    try:
        while len(sockets) < count:
            sock = socket.socket()
            try:
                sock.bind(("127.0.0.1", random.randrange(12_000, 32_000)))
            except OSError:
                sock.close()
                continue
            sockets.append(sock)
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def port_taken(port):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a stopped broker left is free
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def _stat(pid):
    """(state, start time) of a process, or None. A start time tells it from a later one of that pid."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else (fields[0], fields[19])


def die_with_parent():
    """For a child between fork and exec: SIGKILL once the thread that started it has ended."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _java(version, heap, log_config, *arguments):
    return ["java", "-XX:+UseSerialGC", "-Xms64m", f"-Xmx{heap}m",
            f"-Dlog4j2.configurationFile=file:{log_config}", "-cp", f"{home(version) / 'libs'}/*", *arguments]


def brokers_seen(port, timeout=2.0):
    """How many brokers the one at a plain port knows to be alive, or None where none answers.

    A Metadata request, version 1, for no topics: size, api key 3, version, correlation, client id, [].
    """
    request = struct.pack(">ihhihi", 14, 3, 1, 7, -1, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as sock:
            sock.settimeout(timeout)
            sock.sendall(request)
            answer = b""
            while len(answer) < 12:
                part = sock.recv(12 - len(answer))
                if not part:
                    return None
                answer += part
    except OSError:
        return None
    _, correlation, count = struct.unpack(">iii", answer)
    return count if correlation == 7 else None


# ---- the cluster -----------------------------------------------------------------------------------


class Cluster:
    """A cluster whose brokers (numbered from 1), data and logs live in one directory.

    Another process that names the same directory sees and steers the same cluster. Not thread-safe.
    """

    def __init__(self, directory=DEFAULT_DIRECTORY):
        self.directory = pathlib.Path(directory).absolute()
        self._owned = False
        self._children = {}  # number -> Popen, of what this process started

    # -- as a whole

    def start(self, brokers=1, port=0, sasl=False, settings=None, heap=384, owned=False,
              version=VERSION):
        """Starts what is down and waits until every broker answers; returns self.

        port: of the first broker's client listener, the others follow; 0: free ones. sasl: clients come by
        SASL_SSL with SCRAM-SHA-512, and ACLs are in force (none given: everything is allowed). settings: of
        server.properties. owned: the brokers die with the calling thread. A cluster that exists keeps what
        it was made with.
        """
        if not self._state_file.exists():
            first = list(range(port, port + brokers)) if port else free_ports(brokers)
            others = free_ports(2 * brokers)
            state = {"version": version, "sasl": sasl, "heap": heap, "settings": settings or {}, "brokers": [
                {"client": first[i], "plain": others[i] if sasl else first[i],
                 "controller": others[brokers + i]} for i in range(brokers)]}
            self.directory.mkdir(parents=True, exist_ok=True)
            if sasl:
                self._make_certificates()
            self._state_file.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
        fetch(self._version)
        self._owned = owned
        try:
            for number in self.numbers:
                if not self._pid(number):
                    self._launch(number)
            self.wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, wipe=False):
        """Stops every broker; wipe: at once, and deletes everything."""
        if not self._state_file.exists():
            return
        for number in self.numbers:
            self._signal(number, signal.SIGKILL if wipe else signal.SIGTERM)
            self._signal(number, signal.SIGCONT)  # a paused one has to wake up to stop
        for number in self.numbers:
            # The last of several waits for a controller quorum that is gone.
            self._await_end(number, 15 if len(self.numbers) == 1 else 4)
        if wipe:
            shutil.rmtree(self.directory)

    def wait_until_up(self, seconds=60):
        """Waits until every broker answers and knows all the others."""
        deadline = time.monotonic() + seconds
        waiting = list(self.numbers)
        while waiting:
            number = waiting[0]
            if brokers_seen(self._ports(number)["plain"]) == len(self.numbers):
                waiting.pop(0)
                continue
            if not self._pid(number):
                raise KafkaError(f"broker {number} ended at once; the end of {self.log(number)}:\n"
                                 + self._log_tail(number))
            if time.monotonic() > deadline:
                raise KafkaError(f"broker {number} is not up after {seconds} s; log: {self.log(number)}")
            time.sleep(0.1)

    @property
    def numbers(self):
        return range(1, len(self._state["brokers"]) + 1)

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{ports['client']}" for ports in self._state["brokers"])

    def client_config(self, **more):
        """librdkafka's properties for a client of this cluster."""
        config = {"bootstrap.servers": self.bootstrap}
        if self._state["sasl"]:
            config.update({"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
                           "sasl.username": SCRAM_USER, "sasl.password": SCRAM_PASSWORD,
                           "ssl.ca.location": str(self.directory / "ca.pem")})
        return {**config, **more}

    def status(self):
        """One dict a broker: number, port, pid, state (running, paused, down), rss_mib."""
        return [self._broker_status(number) for number in self.numbers]

    # -- one broker

    def stop_broker(self, number):
        self._signal(number, signal.SIGTERM)
        self._signal(number, signal.SIGCONT)
        self._await_end(number, 15)

    def kill(self, number):
        self._signal(number, signal.SIGKILL, must=True)
        self._await_end(number, 10)

    def pause(self, number):
        """The broker keeps its connections and answers nothing."""
        self._signal(number, signal.SIGSTOP, must=True)
        while self._broker_status(number)["state"] == "running":  # a signal takes its time to arrive
            time.sleep(0.005)

    def resume(self, number):
        self._signal(number, signal.SIGCONT, must=True)

    def launch(self, number):
        """Starts a broker that is down; it comes up by itself."""
        self._launch(number)

    def restart(self, number):
        """Stops the broker if it runs, starts it, waits until the cluster is whole."""
        self.stop_broker(number)
        self._launch(number)
        self.wait_until_up()

    def log(self, number):
        return self.directory / str(number) / "broker.log"

    # -- topics

    def admin(self):
        """confluent_kafka's AdminClient, with every right, also where clients need SASL."""
        try:
            from confluent_kafka.admin import AdminClient
        except ImportError:
            raise KafkaError("topics need the Python package confluent-kafka (./dev setup)") from None
        return AdminClient({"bootstrap.servers": ",".join(
            f"127.0.0.1:{ports['plain']}" for ports in self._state["brokers"])})

    def create_topic(self, name, partitions=1, replicas=None, config=None):
        """Creates a topic and waits until its partitions have leaders; one that is there is an error."""
        admin = self.admin()
        from confluent_kafka.admin import NewTopic
        topic = NewTopic(name, num_partitions=partitions, config=config or {},
                         replication_factor=replicas or min(3, len(self.numbers)))
        self._result(admin.create_topics([topic], operation_timeout=20)[name])
        deadline = time.monotonic() + 20
        while True:
            found = admin.list_topics(name, timeout=10).topics[name]
            if not found.error and len(found.partitions) == partitions and all(
                    p.leader >= 0 for p in found.partitions.values()):
                return
            if time.monotonic() > deadline:
                raise KafkaError(f"topic {name} has no leaders")
            time.sleep(0.05)

    def delete_topic(self, name):
        admin = self.admin()  # has to outlive the call: its end cancels what is under way
        self._result(admin.delete_topics([name], operation_timeout=20)[name])

    @staticmethod
    def _result(future):
        from confluent_kafka import KafkaException
        try:
            return future.result(30)
        except KafkaException as error:
            raise KafkaError(error.args[0].str()) from error

    # -- inside

    @property
    def _state_file(self):
        return self.directory / "cluster.json"

    @property
    def _state(self):
        if not self._state_file.exists():
            raise KafkaError(f"there is no cluster in {self.directory}")
        return json.loads(self._state_file.read_text(encoding="utf-8"))

    @property
    def _version(self):
        return self._state.get("version", VERSION)

    def _ports(self, number):
        return self._state["brokers"][number - 1]

    def _pid(self, number):
        """The broker's pid while it lives."""
        try:
            pid, started = (self.directory / str(number) / "pid").read_text(encoding="utf-8").split()
        except (OSError, ValueError):
            return None
        stat = _stat(pid)
        return int(pid) if stat and stat[1] == started else None

    def _broker_status(self, number):
        pid = self._pid(number)
        row = {"number": number, "port": self._ports(number)["client"], "pid": pid, "state": "down"}
        if pid:
            row["state"] = "paused" if _stat(pid)[0] in "Tt" else "running"
            pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
            row["rss_mib"] = pages * os.sysconf("SC_PAGESIZE") >> 20
        return row

    def _signal(self, number, what, must=False):
        pid = self._pid(number)
        if pid:
            os.kill(pid, what)
        elif must:
            raise KafkaError(f"broker {number} is not running")

    def _await_end(self, number, seconds):
        deadline = time.monotonic() + seconds
        while self._pid(number):
            if time.monotonic() > deadline:
                self._signal(number, signal.SIGKILL)
            time.sleep(0.02)
        if number in self._children:
            self._children.pop(number).wait()

    def _launch(self, number):
        for port in self._ports(number).values():
            if port_taken(port):
                raise KafkaError(f"port {port} of broker {number} is taken by another program")
        home = self.directory / str(number)
        home.mkdir(exist_ok=True)
        properties, log_config = home / "server.properties", home / "log4j2.properties"
        properties.write_text("".join(f"{k}={v}\n" for k, v in self._properties(number).items()),
                              encoding="utf-8")
        log_config.write_text(_LOG_CONFIG, encoding="utf-8")
        if not (home / "data" / "meta.properties").exists():
            self._format(number, properties, log_config)
        with open(home / "broker.log", "ab") as log:
            process = self._children[number] = subprocess.Popen(
                _java(self._version, self._state["heap"], log_config, "kafka.Kafka", properties),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent if self._owned else None)
        stat = _stat(process.pid)
        (home / "pid").write_text(f"{process.pid} {stat[1] if stat else 0}\n", encoding="utf-8")

    def _format(self, number, properties, log_config):
        command = _java(self._version, 256, log_config, "-XX:TieredStopAtLevel=1")
        command += ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties]
        if self._state["sasl"]:
            command += ["--add-scram", f"SCRAM-SHA-512=[name={SCRAM_USER},password={SCRAM_PASSWORD}]"]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
        if run.returncode:
            raise KafkaError(f"formatting the storage of broker {number} failed:\n"
                             + self._errors(run.stdout))

    def _log_tail(self, number):
        return self._errors(self.log(number).read_text(encoding="utf-8", errors="replace"))

    @staticmethod
    def _errors(text):
        lines = text.splitlines()
        return "\n".join([line for line in lines if "ERROR" in line or "Exception" in line][-5:]
                         or lines[-5:])

    def _properties(self, number):
        state, ports, count = self._state, self._ports(number), len(self.numbers)
        listeners = {"CLIENT": ports["client"]}
        if state["sasl"]:
            listeners["PLAIN"] = ports["plain"]
        advertised = ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items())
        voters = ",".join(f"{n}@127.0.0.1:{self._ports(n)['controller']}" for n in self.numbers)
        client = "SASL_SSL" if state["sasl"] else "PLAINTEXT"
        properties = {
            "process.roles": "broker,controller", "node.id": number,
            "controller.quorum.voters": voters, "controller.listener.names": "CONTROLLER",
            "listeners": f"{advertised},CONTROLLER://127.0.0.1:{ports['controller']}",
            "advertised.listeners": advertised,
            "listener.security.protocol.map": f"CLIENT:{client},PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAIN" if state["sasl"] else "CLIENT",
            "log.dirs": self.directory / str(number) / "data",
            "auto.create.topics.enable": "false", "group.initial.rebalance.delay.ms": 0,
            # A dead broker is noticed in seconds, not in the default's nine.
            "broker.session.timeout.ms": 4000, "broker.heartbeat.interval.ms": 1000,
            "default.replication.factor": min(3, count)}
        for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
            properties[f"{topic}.replication.factor"] = min(3, count)
            properties[f"{topic}.num.partitions"] = 4
        for topic in ("transaction.state.log", "share.coordinator.state.topic"):
            properties[f"{topic}.min.isr"] = 1
        if state["sasl"]:
            properties.update({
                "listener.name.client.sasl.enabled.mechanisms": "SCRAM-SHA-512",
                "listener.name.client.scram-sha-512.sasl.jaas.config":
                    "org.apache.kafka.common.security.scram.ScramLoginModule required;",
                "listener.name.client.ssl.keystore.type": "PEM",
                "listener.name.client.ssl.keystore.location": self.directory / "server.pem",
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "allow.everyone.if.no.acl.found": "true", "super.users": "User:ANONYMOUS"})
        return {**properties, **state["settings"]}

    def _make_certificates(self):
        """ca.pem for clients, server.pem (key and certificate) for the brokers, good for 127.0.0.1."""
        def openssl(*arguments):
            run = subprocess.run(["openssl", *arguments], cwd=self.directory, check=False, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            if run.returncode:
                raise KafkaError(f"openssl {arguments[0]} failed:\n{run.stdout}")

        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *key, "-days", "3650", "-subj", "/CN=Spillway test authority",
                "-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
        (self.directory / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n",
                                            encoding="utf-8")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "3650", "-extfile", "san", "-out", "server.crt")
        (self.directory / "server.pem").write_text("".join(
            (self.directory / name).read_text(encoding="utf-8")
            for name in ("server.key", "server.crt")), encoding="utf-8")
        for name in ("ca.key", "server.key", "server.pem"):
            (self.directory / name).chmod(0o600)


_LOG_CONFIG = """status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
"""

# ---- the command line ------------------------------------------------------------------------------


def _pairs(texts):
    for text in texts:
        if "=" not in text:
            raise KafkaError(f"not KEY=VALUE: {text}")
    return dict(text.split("=", 1) for text in texts)


def _parser():
    parser = argparse.ArgumentParser(prog="kafka.py", description=f"Apache Kafka {VERSION} on loopback")
    parser.add_argument("--dir", default=DEFAULT_DIRECTORY, help="one cluster each (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("fetch", help="download Kafka into the cache")
    start = commands.add_parser("start", help="start the cluster, print its bootstrap address")
    start.add_argument("--brokers", type=int, default=1)
    start.add_argument("--port", type=int, default=9092, help="of the first broker; 0: a free one")
    start.add_argument("--sasl", action="store_true", help="clients need SASL_SSL, SCRAM-SHA-512")
    start.add_argument("--heap", type=int, default=384, help="MiB for each broker")
    start.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    stop = commands.add_parser("stop", help="stop all brokers")
    stop.add_argument("--wipe", action="store_true", help="and delete their data")
    for name, what in [("pause", "SIGSTOP to"), ("resume", "SIGCONT to"), ("kill", "SIGKILL to"),
                       ("restart", "stop if it runs, and start")]:
        commands.add_parser(name, help=f"{what} a broker").add_argument(
            "broker", type=int, nargs="?", default=1)
    topic = commands.add_parser("topic", help="create a topic")
    topic.add_argument("name")
    topic.add_argument("partitions", type=int, nargs="?", default=1)
    topic.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    commands.add_parser("delete-topic", help="delete a topic").add_argument("name")
    commands.add_parser("status", help="one line a broker")
    commands.add_parser("bootstrap", help="print the bootstrap address")
    commands.add_parser("client-config", help="print the properties that a client needs")
    return parser


def _run(options):
    cluster, command = Cluster(options.dir), options.command
    if command == "fetch":
        fetch()
    elif command == "start":
        cluster.start(options.brokers, options.port, options.sasl, _pairs(options.settings),
                      options.heap)
        print(cluster.bootstrap)
    elif command == "stop":
        cluster.stop(options.wipe)
    elif command in ("pause", "resume", "kill", "restart"):
        if options.broker not in cluster.numbers:
            raise KafkaError(f"there is no broker {options.broker}")
        getattr(cluster, command)(options.broker)
    elif command == "topic":
        cluster.create_topic(options.name, options.partitions, config=_pairs(options.settings))
    elif command == "delete-topic":
        cluster.delete_topic(options.name)
    elif command == "status":
        for row in cluster.status():
            print(" ".join(f"{key}={value}" for key, value in row.items()))
    elif command == "bootstrap":
        print(cluster.bootstrap)
    elif command == "client-config":
        print("".join(f"{key}={value}\n" for key, value in cluster.client_config().items()), end="")


def main():
    try:
        _run(_parser().parse_args())
    except KafkaError as error:
        sys.exit(f"kafka: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
