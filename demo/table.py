"""The table that the demo ends with."""

import shutil

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.guard import Guarded
from demo.launches import Seen

WIDTH = 100


def show(guarded: list[Guarded]) -> None:
    """One row for each instance, no wider than the terminal and than is good to read."""
    table = Table(box=SIMPLE_HEAD, expand=True, show_lines=True, padding=(0, 1))
    table.add_column("instance", width=19, no_wrap=True)
    table.add_column("before", width=15)
    table.add_column("decision and why", ratio=1, overflow="fold")
    table.add_column("after, says EC2", width=15)
    for each in guarded:
        case = each.launched.case
        table.add_row(
            f"{escape(each.launched.instance_id)}\n[bold]{case.name}[/]\n{case.region}",
            state(each.launched.before),
            decision(each),
            state(each.after),
        )
    columns = shutil.get_terminal_size((WIDTH, 0)).columns
    Console(width=min(columns, WIDTH), highlight=False).print(table)


def state(seen: Seen) -> str:
    """Whether IMDSv1 is answered, and whether the instance runs."""
    closed = seen.tokens == "required" or seen.options["HttpEndpoint"] == "disabled"
    colour, version = ("green", "IMDSv2 only") if closed else ("red", "IMDSv1 open")
    return f"[{colour}]{version}[/]\ntokens {seen.tokens}\n{seen.state}"


def decision(each: Guarded) -> str:
    """The outcome, and the function's own words for it."""
    verdict = each.verdict
    return f"[bold]{verdict['outcome']}[/]\n{escape(verdict['reason'])}"
