"""How moto differs from AWS.

A test asserts each of these as a difference, so that it fails once moto is corrected.
"""

from typing import Any

from ground import Ground

KNOWN = {
    "resets": "a call resets the options that it leaves out",
    "applied at once": "changed options are applied at once",
    "terminated accepts": "a terminated instance accepts changed options",
    "any value": "options may have any value",
    "malformed ids": "an id of the wrong form is one that does not exist",
    "rehearses nothing": "a dry run changes options",
}


def check(ground: Ground, found: Any, wanted: Any, *, moto: tuple[str, Any] | None = None) -> None:
    """Checks what is found; a known difference of moto says what is found there instead."""
    if moto is None or ground.name != "moto":
        assert found == wanted
        return
    difference, other = moto
    ground.differences.add(difference)
    assert found != wanted, f"no longer true of moto: {KNOWN[difference]}"
    assert found == other
