"""A broker that wants TLS: with a password, with a client's certificate, and what refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.kafka_client import create_topic, produce, values_of
from tests.services.servers import KafkaServer
from tests.services.test_kafka_errors import credentials, read, write


@pytest.fixture(scope="module")
def encrypted() -> Iterator[KafkaServer]:
    """A broker with SASL_SSL and with SSL that wants certificates."""
    with KafkaServer(users={"ada": "s3cret"}, tls=True) as server:
        yield server


def with_password(ca_file: Path, password: str = "s3cret") -> dict[str, str]:
    return credentials(password) | {
        "security_protocol": "SASL_SSL",
        "ssl_truststore_type": "PEM",
        "ssl_truststore_location": str(ca_file),
    }


def with_certificate(server: KafkaServer) -> dict[str, str]:
    return {
        "security_protocol": "SSL",
        "ssl_truststore_location": str(server.ca_file),
        "ssl_keystore_type": "PEM",
        "ssl_keystore_location": str(server.client_file),
    }


def test_a_password_over_tls(encrypted: KafkaServer) -> None:
    create_topic(encrypted.bootstrap_servers, "password")
    settings = with_password(encrypted.ca_file)
    write(encrypted.sasl_bootstrap_servers, "password", ["a", "b"], **settings)
    assert values_of(encrypted.bootstrap_servers, "password") == ["a", "b"]
    assert read(encrypted.sasl_bootstrap_servers, "password", **settings) == ["a", "b"]


def test_a_clients_certificate(encrypted: KafkaServer) -> None:
    create_topic(encrypted.bootstrap_servers, "certificate")
    settings = with_certificate(encrypted)
    write(encrypted.tls_bootstrap_servers, "certificate", ["a", "b"], **settings)
    assert read(encrypted.tls_bootstrap_servers, "certificate", **settings) == ["a", "b"]


def test_many_messages_over_tls_with_a_password(encrypted: KafkaServer) -> None:
    """More than one fetch, so that the reader's waking of its fetchers meets SASL."""
    texts = [f"{i} " + "x" * 200 for i in range(20_000)]
    create_topic(encrypted.bootstrap_servers, "many")
    produce(encrypted.bootstrap_servers, "many", texts)
    settings = with_password(encrypted.ca_file)
    assert read(encrypted.sasl_bootstrap_servers, "many", **settings) == texts


def test_an_authority_that_is_not_trusted(encrypted: KafkaServer, tmp_path: Path) -> None:
    from tests.services.servers import _make_certificates

    _make_certificates(tmp_path)
    servers = encrypted.sasl_bootstrap_servers
    with pytest.raises(RuntimeError) as failed:
        read(servers, "password", **with_password(tmp_path / "ca.crt"))
    for word in ("'password'", servers, "ssl.truststore.location"):
        assert word in str(failed.value)
    assert "s3cret" not in str(failed.value)


def test_a_certificate_that_is_missing(encrypted: KafkaServer) -> None:
    servers = encrypted.tls_bootstrap_servers
    settings = with_certificate(encrypted)
    del settings["ssl_keystore_type"], settings["ssl_keystore_location"]
    with pytest.raises(RuntimeError) as failed:
        read(servers, "certificate", **settings)
    for word in ("'certificate'", servers, "ssl.keystore.location"):
        assert word in str(failed.value)


def test_a_trust_store_that_is_missing(encrypted: KafkaServer) -> None:
    with pytest.raises((RuntimeError, ValueError)) as failed:
        read(
            encrypted.sasl_bootstrap_servers,
            "password",
            **with_password(Path("/no/such/ca.crt")),
        )
    assert "/no/such/ca.crt" in str(failed.value)


def test_a_java_key_store_is_refused() -> None:
    settings = with_password(Path("/etc/kafka/trust.jks"))
    with pytest.raises(ValueError, match="Java key store") as failed:
        read("127.0.0.1:1", "password", **settings)
    assert "keytool -exportcert" in str(failed.value)
