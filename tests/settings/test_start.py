"""The function does not start with a setting that it cannot use."""

from pathlib import Path

import pytest
from programs import Function

SWITCHES = (
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
BAD = [("AWS_MAX_ATTEMPTS", value) for value in ("0", "many", "-1", "2.5")]
BAD += [(switch, value) for switch in SWITCHES for value in ("yes", "1")]


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_a_bad_value_is_refused_by_name(tmp_path: Path, variable: str, value: str) -> None:
    with Function(tmp_path, {variable: value}) as function:
        ended = function.ended()
    assert ended.code == 1
    assert f"`{variable}` is `{value}`: expected" in ended.words
    assert function.runtime.asked == 0


def test_good_values_are_taken(tmp_path: Path) -> None:
    settings = dict.fromkeys(SWITCHES, "False") | {"AWS_MAX_ATTEMPTS": "1"}
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    with Function(tmp_path, settings) as function:
        assert function.invoke(event)["trigger"] == "ignored"
    assert function.runtime.asked
