"""Settings of Kafka's and PostgreSQL's TLS: what contradicts itself stops the start and names the
setting to mend.
"""

import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from faust.auth import SASLCredentials, SSLCredentials

from notistream.app import faust_settings
from notistream.errors import Misconfigured
from notistream.settings.reading import load_settings
from tests.certificates import certificate

SASL = {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "PLAIN",
    "kafka_username": "u",
    "kafka_password": "hush",
}
BROKERS = {"kafka_brokers": "kafka:9093"}


@pytest.fixture(autouse=True)
def elsewhere(elsewhere, monkeypatch):
    """Without the certificates of the caller either."""
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    monkeypatch.setenv("HOME", str(elsewhere))
    return elsewhere


def without(name):
    return {key: value for key, value in SASL.items() if key != name}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({**SASL}, "NOTISTREAM_KAFKA_SECURITY_PROTOCOL=SASL_SSL needs NOTISTREAM_KAFKA_BROKERS"),
        (
            {**BROKERS, **without("kafka_sasl_mechanism")},
            "NOTISTREAM_KAFKA_SASL_MECHANISM=SCRAM-SHA-512",
        ),
        ({**BROKERS, **without("kafka_username")}, "NOTISTREAM_KAFKA_USERNAME is missing"),
        ({**BROKERS, **without("kafka_password")}, "NOTISTREAM_KAFKA_PASSWORD is missing"),
        (
            {**BROKERS, **without("kafka_security_protocol")},
            "set NOTISTREAM_KAFKA_SECURITY_PROTOCOL=SASL_SSL",
        ),
        (
            {**BROKERS, "kafka_security_protocol": "SSL", "kafka_password": "hush"},
            "NOTISTREAM_KAFKA_PASSWORD is set",
        ),
        ({**BROKERS, "kafka_ca_file": "ca.pem"}, "set NOTISTREAM_KAFKA_SECURITY_PROTOCOL=SSL"),
        (
            {
                **BROKERS,
                **SASL,
                "kafka_security_protocol": "SASL_PLAINTEXT",
                "kafka_ca_file": "ca.pem",
            },
            "set NOTISTREAM_KAFKA_SECURITY_PROTOCOL=SASL_SSL",
        ),
        (
            {**BROKERS, **SASL, "kafka_ca_file": "nowhere.pem"},
            "KAFKA_CA_FILE=nowhere.pem cannot be used (No such",
        ),
        (
            {**BROKERS, **SASL, "kafka_ca_file": "rubbish.pem"},
            "NOTISTREAM_KAFKA_CA_FILE=rubbish.pem cannot be used",
        ),
        (
            {**BROKERS, **SASL, "kafka_key_file": "key.pem"},
            "NOTISTREAM_KAFKA_CERTIFICATE_FILE is missing",
        ),
        ({**BROKERS, **SASL, "kafka_certificate_file": "leaf.pem"}, "NOTISTREAM_KAFKA_KEY_FILE"),
        (
            {**BROKERS, **SASL, "kafka_certificate_file": "ca.pem", "kafka_key_file": "key.pem"},
            "its own key",
        ),
        (
            {
                **BROKERS,
                **SASL,
                "kafka_certificate_file": "leaf.pem",
                "kafka_key_file": "locked.pem",
            },
            "KAFKA_KEY_PASSWORD",
        ),
        ({**BROKERS, "kafka_security_protocol": "TLS"}, "NOTISTREAM_KAFKA_SECURITY_PROTOCOL"),
        ({**BROKERS, **SASL, "kafka_sasl_mechanism": "GSSAPI"}, "NOTISTREAM_KAFKA_SASL_MECHANISM"),
        (
            {"database_url": "postgresql://u:hush@db/n?sslmode=verify"},
            "sslmode=verify is not one of",
        ),
        (
            {"database_url": "postgresql://u:hush@db/n?sslmode=verify-full"},
            "name it in sslrootcert",
        ),
        (
            {"database_url": "postgresql://u:hush@db/n?sslmode=verify-ca&sslrootcert=rubbish.pem"},
            "sslrootcert",
        ),
        (
            {"database_url": "postgresql://u:hush@db/n?sslmode=require&sslcert=nowhere.pem"},
            "sslcert=nowhere.pem",
        ),
    ],
)
def test_a_contradiction_stops_the_start(elsewhere, given, words):
    _, leaf, key = certificate(elsewhere)
    (elsewhere / "rubbish.pem").write_text("rubbish")
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    (elsewhere / "locked.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
    )
    with pytest.raises(Misconfigured) as caught:
        load_settings(**given)
    assert words in caught.value.detail
    assert "hush" not in caught.value.detail
    assert leaf.exists()


def test_nothing_set_is_plaintext():
    settings = load_settings(**BROKERS)
    assert settings.kafka.options == {
        "bootstrap_servers": "kafka:9093",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }
    assert faust_settings(settings)["broker_credentials"] is None


def test_tls_with_a_certificate_of_ours(elsewhere):
    authority, leaf, key = certificate(elsewhere)
    settings = load_settings(
        **BROKERS,
        kafka_security_protocol="ssl",
        kafka_ca_file=authority,
        kafka_certificate_file=leaf,
        kafka_key_file=key,
    )
    tls = settings.kafka.tls
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert tls.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert [
        dict(found[0] for found in ca["subject"])["commonName"] for ca in tls.get_ca_certs()
    ] == ["Test authority"]
    assert settings.kafka.protocol == "SSL"
    assert isinstance(faust_settings(settings)["broker_credentials"], SSLCredentials)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_a_login_is_told_to_every_client(mechanism, protocol):
    settings = load_settings(
        **BROKERS,
        **{**SASL, "kafka_sasl_mechanism": mechanism, "kafka_security_protocol": protocol},
    )
    options = settings.kafka.options
    assert options["security_protocol"] == protocol
    assert (
        options["sasl_mechanism"],
        options["sasl_plain_username"],
        options["sasl_plain_password"],
    ) == (mechanism, "u", "hush")
    credentials = faust_settings(settings)["broker_credentials"]
    assert isinstance(credentials, SASLCredentials)
    assert (credentials.protocol.value, credentials.mechanism.value) == (protocol, mechanism)
    assert (credentials.username, credentials.password) == ("u", "hush")
    assert "hush" not in repr(settings) + repr(settings.kafka) + repr(credentials)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@db/n",
        "postgresql://u@db/n?sslmode=require",
        "postgres:///n",
        "postgresql://u@a:1,b:2/n?sslmode=verify-full&sslrootcert=ca.pem",
    ],
)
def test_a_good_database_url_is_left_alone(elsewhere, url):
    certificate(elsewhere)
    assert load_settings(database_url=url).database_url == url


@pytest.mark.parametrize("url", ["nonsense", "mysql://u:hush@db/n", "//u:hush@db/n"])
def test_the_url_of_another_database_is_refused_before_anything_starts(elsewhere, url):
    with pytest.raises(
        Misconfigured, match=r"^NOTISTREAM_DATABASE_URL: it must begin with postgresql://"
    ) as caught:
        load_settings(database_url=url)
    assert "hush" not in caught.value.detail
