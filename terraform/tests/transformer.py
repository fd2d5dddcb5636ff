"""EventBridge's input transformers: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>.

moto uses only the first match of a path with a wildcard, and leaves placeholders without a value.
"""

import json
import re
from typing import Any


def transform(template: str, paths: dict[str, str], event: Any) -> str:
    """Returns the text of a template that is a JSON string."""
    # Within quotes, EventBridge leaves out the quotes of values.
    values = {name: text(find(event, path)) for name, path in paths.items()}
    filled = re.sub(r"<([\w.-]+)>", lambda name: values.get(name[1], ""), json.loads(template))
    return str(filled)


def find(event: Any, path: str) -> Any:
    """Returns the value at a path, a list for a path with a wildcard, or None."""
    keys = path.removeprefix("$.").split(".")
    found = event
    for index, key in enumerate(keys):
        name, each, _ = key.partition("[*]")
        found = found.get(name) if isinstance(found, dict) else None
        if each:
            rest = ".".join(keys[index + 1 :])
            parts = [find(part, rest) if rest else part for part in found or []]
            return [
                part for part, whole in zip(parts, found or [], strict=True) if has(whole, rest)
            ]
    return found


def has(value: Any, path: str) -> bool:
    """Returns whether a path exists, also if its value is null."""
    for key in path.split(".") if path else []:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


def text(value: Any) -> str:
    """Returns a value as it appears within a string."""
    if value is None:
        return ""
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, separators=(",", ":")).replace('"', "")
    )
