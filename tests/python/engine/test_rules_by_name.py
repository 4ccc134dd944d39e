"""The table of docs/tenstorrent.md that leads from rules to code and tests names what is there."""

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
NAMED = re.findall(r"`([^`\n]+)`", SECTION)


def test_files_that_keep_the_rules_are_there():
    files = [name for name in NAMED if re.fullmatch(r"(engine|device)/\w+\.py", name)]
    assert len(set(files)) > 10
    missing = [it for it in files if not (ROOT / "backend" / "ttdirect" / it).is_file()]
    assert missing == []


def test_tests_are_there():
    sources = {path.name: path.read_text() for path in TESTS.rglob("*.py")}
    everything = "\n".join(sources.values())
    names = [name for name in NAMED if name.startswith("test_")]
    assert len(names) > 40
    for name in names:
        file, *parts = name.split("::") if ".py" in name else ("", name.removesuffix("_*"))
        assert not file or file in sources, name
        text = sources.get(file, everything)
        for part in parts:
            assert re.search(rf"(def|class) {part}\b|def {part}_", text), name


def test_every_rule_of_a_double_is_listed_by_its_number_and_tested():
    """The ten rules of generator-api.md, section 17."""
    listed = [int(number) for number in re.findall(r"(?m)^\| (\d+) \|", SECTION)]
    assert listed == list(range(1, 11))
    rules = "".join(path.read_text() for path in (TESTS / "generator").glob("test_rules*.py"))
    assert {int(it) for it in re.findall(r"def test_rule_(\d+)_", rules)} == set(listed)
