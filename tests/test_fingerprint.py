import pytest

from equicryo import fingerprint as module
from equicryo.fingerprint import fingerprint


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A script that imports one of two modules."""
    folder = tmp_path / "equicryo"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Package."""\n')
    (folder / "used.py").write_text(
        '"""Used."""\n\n\ndef double(x):\n    """Double."""\n    return 2 * x\n'
    )
    (folder / "unused.py").write_text("VALUE = 1\n")
    (tmp_path / "script.py").write_text("from equicryo.used import double\n")
    monkeypatch.setattr(module, "PACKAGE_FOLDER", folder)
    return tmp_path


def hash_now(package):
    module._parse.cache_clear()
    return fingerprint(package / "script.py")


@pytest.mark.parametrize(
    ("path", "before", "after", "changes"),
    [
        ("equicryo/used.py", "2 * x", "3 * x", True),
        ("equicryo/used.py", '"""Double."""', '"""Twice."""', False),
        ("equicryo/used.py", "    return", "    # why\n    return", False),
        ("equicryo/used.py", "2 * x", "2  *  x", False),
        ("equicryo/unused.py", "1", "2", False),
        ("script.py", "double\n", "double as twice\n", True),
    ],
)
def test_fingerprint_changes_with_the_code_that_runs(
    package, path, before, after, changes
):
    first = hash_now(package)
    file = package / path
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    assert (hash_now(package) != first) == changes


def test_whole_package_can_be_imported_from_one_module(package):
    (package / "script.py").write_text("from equicryo import used, unused\n")
    first = hash_now(package)
    (package / "equicryo/unused.py").write_text("VALUE = 2\n")
    assert hash_now(package) != first


def test_a_layer_left_out_takes_what_it_imports_with_it(package):
    layer = package / "equicryo/figures"
    layer.mkdir()
    (layer / "drawn.py").write_text("from equicryo.unused import VALUE\n")
    script = package / "script.py"
    script.write_text("from equicryo.figures.drawn import VALUE\n")
    module._parse.cache_clear()
    whole, part = fingerprint(script), fingerprint(script, ("figures",))
    (package / "equicryo/unused.py").write_text("VALUE = 2\n")
    module._parse.cache_clear()
    assert fingerprint(script) != whole
    assert fingerprint(script, ("figures",)) == part
