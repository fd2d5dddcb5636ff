"""Prints the results of the demo as a table."""

import shutil

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
    columns = shutil.get_terminal_size((WIDTH, 0)).columns
    Console(width=min(columns, WIDTH), highlight=False).print(table)


def state(instance: Description) -> str:
    """Returns the versions that the instance accepts, its tokens, and its state."""
    closed = instance.tokens == "required" or instance.options["HttpEndpoint"] == "disabled"
    color, version = ("green", "IMDSv2 only") if closed else ("red", "IMDSv1 allowed")
    return f"[{color}]{version}[/]\ntokens {instance.tokens}\n{instance.state}"


def outcome(each: Result) -> str:
    """Returns the outcome and its reason."""
    entry = each.entry
    return f"[bold]{entry['outcome']}[/]\n{escape(entry['reason'])}"
