"""What `docs/aws-behaviour.md` names exists."""

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT

PAGE = ROOT / "docs" / "aws-behaviour.md"
TEXT = PAGE.read_text()
FOLDERS = {
    "core": "crates/core",
    "aws": "crates/aws",
    "engine": "crates/engine",
    "fake": "tests/tests/fake",
    "enforcer": "tests/tests/enforcer",
    "imdsctl": "tests/tests/imdsctl",
    "contract": "tests/contract",
}
DEFINITIONS = {
    ".rs": r"#\[(?:tokio::)?test\b[^}}]*?\bfn {}\(",
    ".py": r"^ *(?:async )?def {}\(",
    ".hcl": r'^run "{}" {{',
}
TESTS_IN = re.compile(r"`[\w./-]+\.[a-z]+::\w+`")
SPANS = set(re.findall(r"`([^`]+)`", TEXT))
FILES = sorted(each for each in SPANS if re.fullmatch(r"[\w./-]+/[\w.-]+\.[a-z]+", each))
TESTS = sorted(each for each in SPANS if re.fullmatch(r"[\w./-]+\.[a-z]+::\w+", each))
LINKS = sorted({each for each in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in each})
LIVE = sorted(
    {test for cell in re.findall(r"Live: ([^|]+)", TEXT) for test in cell.split("`")[1::2]}
)
ASSUMPTIONS = re.findall(r'^\| <a id="([^"]+)"></a>(.*)$', TEXT, re.MULTILINE)


def path(name: str) -> Path:
    """Returns a file by the name that the page gives it."""
    first, _, rest = name.partition("/")
    return ROOT / FOLDERS.get(first, first) / rest


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page: those of its headings, and its own."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("name", FILES)
def test_every_file_exists(name: str) -> None:
    assert path(name).is_file()


@pytest.mark.parametrize("name", TESTS)
def test_every_test_exists(name: str) -> None:
    file, _, test = name.partition("::")
    source = path(file)
    definition = DEFINITIONS[source.suffix].format(re.escape(test))
    assert re.search(definition, source.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", LIVE)
def test_every_live_test_runs_in_an_account(name: str) -> None:
    file, _, test = name.partition("::")
    functions = ast.parse(path(file).read_text()).body
    (function,) = [each for each in functions if getattr(each, "name", None) == test]
    assert not any("mark.only" in ast.unparse(each) for each in function.decorator_list)


@pytest.mark.parametrize("link", LINKS)
def test_every_link_leads_to_a_section(link: str) -> None:
    file, _, anchor = link.partition("#")
    page = PAGE.parent / file if file else PAGE
    assert page.is_file()
    assert not anchor or anchor in anchors(page)


@pytest.mark.parametrize(("anchor", "row"), ASSUMPTIONS, ids=[anchor for anchor, _ in ASSUMPTIONS])
def test_every_assumption_names_a_test(anchor: str, row: str) -> None:
    assert len(re.findall(rf'id="{anchor}"', TEXT)) == 1
    assert TESTS_IN.search(row)


def test_what_is_checked_is_found() -> None:
    assert min(map(len, (FILES, TESTS, ASSUMPTIONS))) > 40
