"""How moto differs from AWS.

A test asserts each of these as a difference, so that it fails once moto is corrected.
"""

from typing import Any

from ground import Ground

KNOWN = {
    "any number of values": "a filter may have more than 200 values",
    "any token": "a token of no page is an error of the server",
    "any value": "options may have any value",
    "applied at once": "changed options are applied at once",
    "empty tokens": "ids and an empty token may be in one call",
    "filter of client tokens": "there is no filter of client tokens",
    "filter of launch times": "there is no filter of launch times",
    "filters of options": "there are no filters of metadata options",
    "launches again": "a client token launches more than once",
    "malformed ids": "an id of the wrong form is one that does not exist",
    "pages of any size": "a page may have any size and is counted in reservations",
    "patterns of types": "a filter of instance types has no patterns",
    "rehearses nothing": "a dry run changes options",
    "resets": "a call resets the options that it leaves out",
    "terminated accepts": "a terminated instance accepts changed options",
    "unknown filters": "an unknown filter is an error of the server",
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
