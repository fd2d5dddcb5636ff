"""How moto differs from AWS.

A test asserts each of these as a difference, so that it fails once moto is corrected.
"""

from typing import Any

from ground import Ground

KNOWN = {
    "any number of values": "a filter may have more than 200 values",
    "any query": "queries of metrics may have any id, and one twice",
    "any token": "a token of no page is an error of the server",
    "any value": "options may have any value",
    "applied at once": "changed options are applied at once",
    "changes at once": "an instance stops at once",
    "empty tokens": "ids and an empty token may be in one call",
    "filter of client tokens": "there is no filter of client tokens",
    "filter of launch times": "there is no filter of launch times",
    "filter of regions": "the filter of regions by status does nothing",
    "filters of options": "there are no filters of metadata options",
    "ids named twice": "instances cannot be described twice in one call",
    "ids of requests": "the id of a Spot request has 17 digits",
    "labels": "the label of a metric names its statistic",
    "launches again": "a client token launches more than once",
    "malformed ids": "an id of the wrong form is one that does not exist",
    "missing attributes": "two attributes that an item does not have are equal",
    "missing items": "some expressions about an item that does not exist are errors of the server",
    "missing parameters": "what is missing from a call is nothing, or another error",
    "named both ways": "a launch template may be named by its id and by its name in one call",
    "named twice": "an instance that is named twice is terminated twice",
    "no defaults": "an account has no defaults of metadata options",
    "options of templates": "a launch takes no hop limit, IPv6 or metadata tags of its template",
    "pages of any size": "a page may have any size and is counted in reservations",
    "pages of images": "images have no pages",
    "pages of metrics": "data of metrics have no pages",
    "pages of templates": "launch templates have a first page only",
    "patterns of types": "a filter of instance types has no patterns",
    "protection": "a launch protects from nothing",
    "registered images": "a registered image loses its architecture and `ImdsSupport`",
    "rehearses nothing": "a dry run changes options",
    "reserved keys": "tags may have reserved keys",
    "resets": "a call resets the options that it leaves out",
    "revives": "a terminated instance can be stopped and started",
    "shuts down again": "a terminated instance shuts down again",
    "starts again": "a running instance starts again",
    "tags of nothing": "an instance that does not exist can be tagged",
    "tags as metadata": "tags whose keys are no paths can be shown as metadata",
    "terminated accepts": "a terminated instance accepts changed options",
    "types of keys": "a key may have another type than that of the table",
    "unknown filters": "an unknown filter is an error of the server",
    "unknown regions": "an unknown region is left out",
    "unknown requests": "an unknown Spot request is left out",
    "unknown templates": "an unknown launch template is left out",
}


def check(ground: Ground, found: Any, wanted: Any, *, moto: tuple[str, Any] | None = None) -> None:
    """Checks what is found; a known difference of moto says what is found there instead."""
    if moto is None or ground.name != "moto":
        assert found == wanted, f"{found} instead of {wanted}"
        return
    difference, other = moto
    ground.differences.add(difference)
    assert found != wanted, f"no longer true of moto: {KNOWN[difference]}"
    assert found == other, f"{found} instead of {other}, which moto had"


def check_members(ground: Ground, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Checks all members of the fake's answer; others may have more, and leave out empty ones."""
    if ground.name != "fake":
        found = {name: found[name] for name in wanted if name in found}
        wanted = {name: value for name, value in wanted.items() if name in found or value}
    assert found == wanted, f"{found} instead of {wanted}"
