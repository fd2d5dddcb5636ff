"""Prints the results of the demo as a table, and the items of the state table."""

import shutil
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.invoke import Result
from demo.launches import Description

WIDTH = 100


def show(results: list[Result]) -> None:
    """Prints one row for each instance."""
    table = Table(box=SIMPLE_HEAD, expand=True, show_lines=True, padding=(0, 1))
    table.add_column("instance", width=19, no_wrap=True)
    table.add_column("before", width=15)
    table.add_column("outcome and reason", ratio=1, overflow="fold")
    table.add_column("after", width=15)
    for each in results:
        case = each.launched.case
        table.add_row(
            f"{escape(each.launched.instance_id)}\n[bold]{case.name}[/]\n{case.region}",
            state(each.launched.before),
            outcome(each),
            state(each.after),
        )
    console().print(table)


def show_items(items: dict[str, dict[str, Any]]) -> None:
    """Prints one row for each item of the state table."""
    table = Table(box=SIMPLE_HEAD, expand=True, padding=(0, 1))
    table.add_column("item", ratio=1, overflow="fold")
    table.add_column("holds", ratio=1, overflow="fold")
    for key, item in items.items():
        table.add_row(escape(key), escape(held(item)))
    console().print(table)


def held(item: dict[str, Any]) -> str:
    """Returns what an item of a person, or of the function, holds."""
    if "until" in item:
        until, by, reason = (item[name]["S"] for name in ("until", "by", "reason"))
        return f"until {until} by {by} ({reason})"
    entries = item["entries"]["M"].items()
    return "\n".join(f"{name} at {time(int(at['N']))}" for name, at in entries)


def time(milliseconds: int) -> str:
    """Returns a time as the other items have it."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def console() -> Console:
    """Creates a console that is not wider than the demo's text."""
    columns = shutil.get_terminal_size((WIDTH, 0)).columns
    return Console(width=min(columns, WIDTH), highlight=False)


def state(instance: Description) -> str:
    """Returns the versions that the instance accepts, its tokens, and its state."""
    if instance.is_ended:
        return f"[green]no instance[/]\n{instance.state}"
    closed = instance.tokens == "required" or instance.options["HttpEndpoint"] == "disabled"
    color, version = ("green", "IMDSv2 only") if closed else ("red", "IMDSv1 allowed")
    return f"[{color}]{version}[/]\ntokens {instance.tokens}\n{instance.state}"


def outcome(each: Result) -> str:
    """Returns the outcome and its reason."""
    entry = each.entry
    return f"[bold]{entry['outcome']}[/]\n{escape(entry['reason'])}"
