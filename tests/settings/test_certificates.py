"""`AWS_CA_BUNDLE`: these roots, and no others."""

from pathlib import Path

from answers import account_with_one_instance
from authority import Authority
from conftest import Inspect
from listener import Listener

ONCE = {"AWS_MAX_ATTEMPTS": "1"}
UNKNOWN_CA = "TLSV1_ALERT_UNKNOWN_CA"


def rejected(endpoint: Listener) -> bool:
    """Whether every handshake failed because of an unknown root."""
    reasons = {error.reason for error in endpoint.refused}
    return reasons == {UNKNOWN_CA} and not endpoint.requests


def test_a_certificate_of_the_bundle_is_trusted(inspect: Inspect, authority: Authority) -> None:
    with Listener(account_with_one_instance, tls=authority) as endpoint:
        inspect(AWS_ENDPOINT_URL=endpoint.url, AWS_CA_BUNDLE=str(authority.bundle))
    assert endpoint.named("DescribeInstances")
    assert not endpoint.refused


def test_every_root_of_the_bundle_is_trusted(
    inspect: Inspect, authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(stranger.bundle.read_text() + authority.bundle.read_text())
    with Listener(account_with_one_instance, tls=authority) as endpoint:
        inspect(AWS_ENDPOINT_URL=endpoint.url, AWS_CA_BUNDLE=str(bundle))
    assert endpoint.named("DescribeInstances")
    assert not endpoint.refused


def test_another_certificate_is_rejected(
    inspect: Inspect, authority: Authority, stranger: Authority
) -> None:
    with Listener(account_with_one_instance, tls=authority) as endpoint:
        output = inspect(**ONCE, AWS_ENDPOINT_URL=endpoint.url, AWS_CA_BUNDLE=str(stranger.bundle))
    assert rejected(endpoint)
    assert "invalid peer certificate: UnknownIssuer" in output


def test_without_a_bundle_the_roots_of_the_system_are_trusted(
    inspect: Inspect, authority: Authority
) -> None:
    with Listener(account_with_one_instance, tls=authority) as endpoint:
        inspect(AWS_ENDPOINT_URL=endpoint.url, SSL_CERT_FILE=str(authority.bundle))
    assert endpoint.named("DescribeInstances")


def test_a_bundle_replaces_the_roots_of_the_system(
    inspect: Inspect, authority: Authority, stranger: Authority
) -> None:
    with Listener(account_with_one_instance, tls=authority) as endpoint:
        system = {"SSL_CERT_FILE": str(authority.bundle)}
        bundle = {"AWS_CA_BUNDLE": str(stranger.bundle)}
        inspect(**ONCE, **system, **bundle, AWS_ENDPOINT_URL=endpoint.url)
    assert rejected(endpoint)
