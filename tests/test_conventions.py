"""The page Conventions of config/README.md: its every example runs and holds."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "config/README.md"

SUBJECTS = {
    "Coordinates",
    "Volumes",
    "Images",
    "Projection",
    "Rotations are active",
    "Handedness is physical",
    "RELION's angles",
    "Shifts",
    "The CTF",
    "Contrast",
    "Astigmatism",
    "Units",
    "Stacks",
    "SNR",
    "Maps",
}


def page() -> list[tuple[str, str, int]]:
    """Return each code block, the prose before it, and the line it starts on."""
    before, found, rest = PAGE.read_text(encoding="utf-8").partition(
        "\n## Conventions\n"
    )
    assert found
    section = re.split(r"^## ", rest, flags=re.MULTILINE)[0]
    parts = re.split(r"^```python\n(.*?)^```\n", section, flags=re.M | re.S)
    assert not parts[-1].strip(), "the last statement has no example"
    blocks, line = [], before.count("\n") + 2
    for prose, code in zip(parts[:-1:2], parts[1::2], strict=True):
        line += prose.count("\n") + 1
        blocks.append((prose, code, line))
        line += code.count("\n") + 1
    return blocks


def test_every_statement_has_an_example_that_can_fail() -> None:
    (_, setup, _), *rest = page()
    assert "assert" not in setup
    found: list[str] = []
    for prose, code, _ in rest:
        found += re.findall(r"\*\*(.+?)\*\*", prose)
        assert re.search(r"^ *(assert |np\.testing\.assert)", code, re.MULTILINE), prose
    assert sorted(found) == sorted(SUBJECTS)


def test_examples_run_in_the_order_of_the_page(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    scope: dict = {}
    for _, code, line in page():
        # A failure is then reported with its line of the page.
        exec(compile("\n" * line + code, str(PAGE), "exec"), scope)
