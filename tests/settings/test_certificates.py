"""`AWS_CA_BUNDLE`: these roots, and no others."""

from pathlib import Path

from answers import of_an_account
from authority import Authority
from conftest import Look
from listener import Listener

ONCE = {"AWS_MAX_ATTEMPTS": "1"}
UNKNOWN_CA = "TLSV1_ALERT_UNKNOWN_CA"


def refused(endpoint: Listener) -> bool:
    """Whether every handshake ended for want of a root."""
    reasons = {error.reason for error in endpoint.refused}
    return reasons == {UNKNOWN_CA} and not endpoint.requests


def test_who_is_signed_by_the_bundle_is_reached(look: Look, authority: Authority) -> None:
    with Listener(of_an_account, tls=authority) as endpoint:
        look(AWS_ENDPOINT_URL=endpoint.url, AWS_CA_BUNDLE=str(authority.bundle))
    assert endpoint.named("DescribeInstances")
    assert not endpoint.refused


def test_every_root_of_the_bundle_is_trusted(
    look: Look, authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(stranger.bundle.read_text() + authority.bundle.read_text())
    with Listener(of_an_account, tls=authority) as endpoint:
        look(AWS_ENDPOINT_URL=endpoint.url, AWS_CA_BUNDLE=str(bundle))
    assert endpoint.named("DescribeInstances")
    assert not endpoint.refused


def test_who_is_signed_by_another_is_refused(
    look: Look, authority: Authority, stranger: Authority
) -> None:
    with Listener(of_an_account, tls=authority) as endpoint:
        said = look(**ONCE, AWS_ENDPOINT_URL=endpoint.url, AWS_CA_BUNDLE=str(stranger.bundle))
    assert refused(endpoint)
    assert "invalid peer certificate: UnknownIssuer" in said


def test_without_a_bundle_the_roots_of_the_system_do(look: Look, authority: Authority) -> None:
    with Listener(of_an_account, tls=authority) as endpoint:
        look(AWS_ENDPOINT_URL=endpoint.url, SSL_CERT_FILE=str(authority.bundle))
    assert endpoint.named("DescribeInstances")


def test_a_bundle_shuts_out_the_roots_of_the_system(
    look: Look, authority: Authority, stranger: Authority
) -> None:
    with Listener(of_an_account, tls=authority) as endpoint:
        system = {"SSL_CERT_FILE": str(authority.bundle)}
        bundle = {"AWS_CA_BUNDLE": str(stranger.bundle)}
        look(**ONCE, **system, **bundle, AWS_ENDPOINT_URL=endpoint.url)
    assert refused(endpoint)
