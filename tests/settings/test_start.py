"""Both programs reject settings that they cannot use, and name them."""

from pathlib import Path

import pytest
from programs import KEYS, Function, imdsctl

SWITCHES = (
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
BAD = [("AWS_MAX_ATTEMPTS", value) for value in ("0", "many", "-1", "2.5")]
BAD += [(switch, value) for switch in SWITCHES for value in ("yes", "1")]


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_an_invalid_value_is_rejected_by_name(tmp_path: Path, variable: str, value: str) -> None:
    with Function(tmp_path, {variable: value}) as function:
        ended = function.ended()
    assert ended.code == 1
    assert f"`{variable}` is `{value}`: expected" in ended.words
    assert function.runtime.asked == 0


def test_valid_values_are_accepted(tmp_path: Path) -> None:
    settings = dict.fromkeys(SWITCHES, "False") | {"AWS_MAX_ATTEMPTS": "1"}
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    with Function(tmp_path, settings) as function:
        assert function.invoke(event)["trigger"] == "ignored"
    assert function.runtime.asked


@pytest.mark.parametrize(
    ("variable", "value"), [("AWS_MAX_ATTEMPTS", "many"), ("AWS_RETRY_MODE", "patient")]
)
def test_the_command_names_an_invalid_value_of_variable_or_profile(
    tmp_path: Path, variable: str, value: str
) -> None:
    config = tmp_path / "config"
    config.write_text(f"[default]\n{variable.removeprefix('AWS_').lower()} = {value}\n")
    for settings in ({variable: value}, {"AWS_CONFIG_FILE": str(config)}):
        ended = imdsctl(tmp_path, KEYS | settings, "scan", "--region", "eu-west-1")
        assert ended.code == 2
        assert f"`{variable}` is `{value}`: expected" in ended.words


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "it has no certificate in PEM"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "its certificate 1 cannot be used",
        ),
    ],
)
def test_a_bundle_without_a_usable_root_is_rejected_by_its_path(
    tmp_path: Path, content: str, fault: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(content)
    settings = {"AWS_CA_BUNDLE": str(bundle)}
    with Function(tmp_path, settings) as function:
        ended = function.ended()
    assert ended.code == 1
    ran = imdsctl(tmp_path, KEYS | settings, "scan", "--region", "eu-west-1")
    assert ran.code == 2
    for words in (ended.words, ran.words):
        assert f"`AWS_CA_BUNDLE` `{bundle}`: {fault}" in words
