"""Fingerprint of the code behind a script, so that an edit reruns what it changes.

Snakemake compares a rule's params with those of its last run. A hash of the script's
import closure there makes an edit to any module rerun the rules that import it, and an
edit of comments or docstrings rerun nothing.
"""

import ast
import functools
import hashlib
from collections.abc import Collection
from pathlib import Path

PACKAGE = "equicryo"
PACKAGE_FOLDER = Path(__file__).parent


def fingerprint(script: str | Path, without: Collection[str] = ()) -> str:
    """Hash the syntax trees of a script and of all it imports from the package.

    Args:
        script: path of a Python file.
        without: layers (folders of the package) that cannot change its results, such
            as the pictures that a training shows of itself.

    Returns:
        16 hexadecimal digits, blind to comments, docstrings, layout and file times.
    """
    digest = hashlib.sha256()
    for path in sorted(_closure(Path(script).resolve(), without)):
        digest.update(path.name.encode())
        digest.update(_parse(path)[0].encode())
    return digest.hexdigest()[:16]


def _closure(script: Path, without: Collection[str]) -> set[Path]:
    barred = {PACKAGE_FOLDER / layer for layer in without}
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found and path.parent not in barred:
            found.add(path)
            waiting.extend(_parse(path)[1])
    return found


@functools.cache
def _parse(path: Path) -> tuple[str, tuple[Path, ...]]:
    """Return a file's tree without docstrings, and the package files it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported: set[Path] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            body.pop(0)
        elif isinstance(node, ast.Import):
            imported.update(_files(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            imported.update(_files((node.module, *names)))
    return ast.dump(tree), tuple(sorted(imported))


def _files(modules) -> set[Path]:
    """Return the files of those dotted names that are modules of the package."""
    files = set()
    for module in modules:
        first, *rest = module.split(".")
        if first != PACKAGE:
            continue
        stem = PACKAGE_FOLDER.joinpath(*rest)
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                files.add(path)
    return files
