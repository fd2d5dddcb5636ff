"""Settings in profiles, and credentials of a role."""

from pathlib import Path

import pytest
from answers import REGION, ROLE_KEY, account_with_one_instance
from authority import Authority
from listener import Answer, Listener, Request
from programs import KEYS, Settings, imdsctl
from rules import host

SCAN = ("scan", "--region", REGION)
SWITCHES = {"use_fips_endpoint": "FIPS", "use_dualstack_endpoint": "dual stack"}
ELSEWHERE = "https://sts.elsewhere.test"


def profile(folder: Path, *lines: str) -> Settings:
    """A file with these lines in profile `work`, and credentials in profile `keys`."""
    keys = [f"{name.lower()} = {value}" for name, value in KEYS.items()]
    file = folder / "config"
    file.write_text("\n".join(["[profile keys]", *keys, "[profile work]", *lines]))
    return {"AWS_CONFIG_FILE": str(file)}


def role(folder: Path, *lines: str) -> Settings:
    """A profile `work` with the credentials of a role."""
    named = (f"region = {REGION}", "role_arn = arn:aws:iam::111122223333:role/reader")
    return profile(folder, *named, "source_profile = keys", *lines)


def asked(home: Path, authority: Authority, settings: Settings, *arguments: str) -> list[Request]:
    """The calls of a scan to all hosts."""
    with Listener(account_with_one_instance, every_host=authority) as proxy:
        through = {"HTTPS_PROXY": proxy.url, "AWS_CA_BUNDLE": str(authority.bundle)}
        imdsctl(home, through | settings, *SCAN, *arguments)
    return proxy.requests


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_profile_chooses_the_kind_of_endpoint(
    authority: Authority, tmp_path: Path, switch: str
) -> None:
    settings = KEYS | profile(tmp_path, f"{switch} = true") | {"AWS_PROFILE": "work"}
    hosts = {request.through for request in asked(tmp_path, authority, settings)}
    assert hosts == {host(service, REGION, SWITCHES[switch]) for service in ("ec2", "sts")}


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_environment_comes_before_the_profile(
    authority: Authority, tmp_path: Path, switch: str
) -> None:
    settings = KEYS | profile(tmp_path, f"{switch} = true") | {"AWS_PROFILE": "work"}
    settings |= {f"AWS_{switch.upper()}": "false"}
    hosts = {request.through for request in asked(tmp_path, authority, settings)}
    assert hosts == {host(service, REGION, "plain") for service in ("ec2", "sts")}


def test_a_profile_sets_the_number_of_attempts(tmp_path: Path) -> None:
    with Listener(lambda _: Answer(500)) as endpoint:
        settings = KEYS | profile(tmp_path, "max_attempts = 2") | {"AWS_PROFILE": "work"}
        imdsctl(tmp_path, settings | {"AWS_ENDPOINT_URL": endpoint.url}, *SCAN)
    assert len(endpoint.named("DescribeInstances")) == 2


@pytest.mark.parametrize(
    ("line", "variables", "expected"),
    [
        ("", {}, host("sts", REGION, "plain")),
        ("", {"AWS_USE_FIPS_ENDPOINT": "true"}, host("sts", REGION, "FIPS")),
        ("", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, host("sts", REGION, "dual stack")),
        ("", {"AWS_ENDPOINT_URL_STS": ELSEWHERE}, "sts.elsewhere.test:443"),
        ("", {"AWS_ENDPOINT_URL": ELSEWHERE}, "sts.elsewhere.test:443"),
        ("use_fips_endpoint = true", {}, host("sts", REGION, "FIPS")),
        ("use_dualstack_endpoint = true", {}, host("sts", REGION, "dual stack")),
        (f"endpoint_url = {ELSEWHERE}", {}, "sts.elsewhere.test:443"),
    ],
)
def test_credentials_of_a_role_use_the_same_settings(
    authority: Authority, tmp_path: Path, line: str, variables: Settings, expected: str
) -> None:
    settings = role(tmp_path, line) | variables
    requests = asked(tmp_path, authority, settings, "--profile", "work")
    assumed = [request for request in requests if request.action == "AssumeRole"]
    assert {request.through for request in assumed} == {expected}
    keys = {request.key for request in requests if request.action != "AssumeRole"}
    assert keys == {ROLE_KEY}
