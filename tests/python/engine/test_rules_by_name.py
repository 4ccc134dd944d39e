"""The table of docs/tenstorrent.md that leads from rules to code and tests names what is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TESTS = ROOT / "tests" / "python"
SECTION = (
    (ROOT / "docs" / "tenstorrent.md")
    .read_text()
    .split("## Rules and where they are kept\n", 1)[1]
    .split("\n## ", 1)[0]
)
FILES = sorted(TESTS.rglob("test_*.py"))
NAMED = re.findall(r"`([^`\n]+)`", SECTION)


def test_files_that_keep_the_rules_are_there():
    files = [name for name in NAMED if is_of_the_backend(name)]
    assert len(set(files)) > 30
    missing = [it for it in files if not (ROOT / "backend" / "ttdirect" / it).is_file()]
    assert missing == []


def is_of_the_backend(name):
    return re.fullmatch(r"(engine|device|hardware|cli|script|server)(/[a-z_]+)+\.py", name)


def test_what_is_named_behind_a_file_is_in_it():
    """A function or a name of the module, as in: `engine/eras.py` `names_of`, `known`."""
    seen = 0
    for where in re.findall(r"(?m)^\| [^|]+ \| ([^|]+) \|", SECTION):
        text = ""
        for name in re.findall(r"`([^`]+)`", where):
            if is_of_the_backend(name):
                text = (ROOT / "backend" / "ttdirect" / name).read_text()
            elif text and name.isidentifier():
                seen += 1
                assert re.search(rf"(?m)^ *((def|class) )?{name}\b", text), f"{name}: {where}"
    assert seen > 40


def names_in(tree):
    """Every test and class of a file, as `test_it` or `TestClass::test_it`."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            if isinstance(node, ast.ClassDef):
                yield from (f"{node.name}::{name}" for name in names_in(node))


TESTS_OF = {path: set(names_in(ast.parse(path.read_text()))) for path in FILES}
ROWS = [re.findall(r"`([^`]+)`", row) for row in re.findall(r"(?m)^\| .+", SECTION)]
RULES = set().union(
    *(TESTS_OF[path] for path in FILES if path.match("generator/test_rules*.py")),
)
CITED = [(row, name) for row in ROWS for name in row if name.startswith("test_")]


def test_tests_are_in_the_files_that_are_named():
    assert len(CITED) > 40
    for _, name in CITED:
        if ".py" in name:
            file, _, test = name.partition("::")
            homes = [path for path in FILES if path.name == file]
            assert len([it for it in homes if not test or test in TESTS_OF[it]]) == 1, name
        else:  # the second table: the start of a name, in test_rules*.py
            start = name.removesuffix("*")
            assert any(known.startswith(start) for known in RULES), name


def test_a_whole_file_is_named_only_where_it_tests_the_module_of_its_name():
    """Any other file holds more than one thing, so that the row would prove nothing."""
    for row, name in CITED:
        if name.endswith(".py") and name != "test_engine_flavours.py":
            assert any(f"/{name.removeprefix('test_')}" in f"/{cell}" for cell in row), row


def test_every_rule_of_a_double_is_listed_by_its_number_and_tested():
    """The ten rules of generator-api.md, section 17."""
    listed = [int(number) for number in re.findall(r"(?m)^\| (\d+) \|", SECTION)]
    assert listed == list(range(1, 11))
    rules = "".join(path.read_text() for path in (TESTS / "generator").glob("test_rules*.py"))
    assert {int(it) for it in re.findall(r"def test_rule_(\d+)_", rules)} == set(listed)
