"""Every public function of the physics says what it needs to say, and is checked."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import FunctionType, ModuleType

import pytest
from jaxtyping import TypeCheckError

import equicryo.physics

UNIT = re.compile(
    r"Å|⁻|\brad\b|\bV\b|\bGB\b|\bnats\b|\bpixels?\b|\bvoxels?\b|\bper pixel\b"
    r"|\bfraction\b|\bdimensionless\b|\bunits?\b|\belectrons\b"
)
"""One of them stands in each docstring of a function that takes or gives numbers."""

NUMBERS = re.compile(r"\bfloat|\bFloat|\bComplex|\bint\b")
ARRAYS = {"Tensor", "ndarray"}


def physics_modules() -> Iterator[ModuleType]:
    package = equicryo.physics
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def public_functions() -> Iterator[tuple[ModuleType, ast.FunctionDef]]:
    """Yield functions, and methods of public classes; properties are attributes."""
    for module in physics_modules():
        tree = ast.parse(inspect.getsource(module))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        bodies = [tree, *(one for one in classes if not one.name.startswith("_"))]
        for body in bodies:
            for node in body.body:
                if (
                    isinstance(node, ast.FunctionDef)
                    and not node.name.startswith("_")
                    and not any(
                        isinstance(one, ast.Name) and one.id == "property"
                        for one in node.decorator_list
                    )
                ):
                    yield module, node


CASES = list(public_functions())
each_function = pytest.mark.parametrize(
    ("module", "node"),
    CASES,
    ids=[f"{module.__name__.split('.')[-1]}.{node.name}" for module, node in CASES],
)


def arguments(node: ast.FunctionDef) -> list[ast.arg]:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [one for one in every if one.arg not in ("self", "cls")]


def bare_arrays(annotation: ast.expr | None) -> bool:
    """Tell whether an annotation holds an array without dtype and shape."""
    if annotation is None:
        return True
    if isinstance(annotation, ast.Subscript):
        name = ast.unparse(annotation.value)
        if name == "Callable":  # the shapes of what it takes stand in the docstring
            return False
        parts = annotation.slice
        shaped = isinstance(parts, ast.Tuple) and isinstance(
            parts.elts[-1], ast.Constant
        )
        if shaped and name not in ("tuple", "list", "dict"):
            return False
        return bare_arrays(parts)
    if isinstance(annotation, ast.Attribute):
        return annotation.attr in ARRAYS
    if isinstance(annotation, ast.Name):
        return annotation.id in ARRAYS
    if isinstance(annotation, ast.BinOp):
        return bare_arrays(annotation.left) or bare_arrays(annotation.right)
    if isinstance(annotation, (ast.Tuple, ast.List)):
        return any(bare_arrays(one) for one in annotation.elts)
    return False


def raised(module: ModuleType, node: ast.FunctionDef) -> set[str]:
    """Name what a function raises, itself or in a private function it calls."""
    tree = ast.parse(inspect.getsource(module))
    private = {
        one.name: one
        for one in tree.body
        if isinstance(one, ast.FunctionDef) and one.name.startswith("_")
    }
    names, todo, seen = set(), [node], set()
    while todo:
        for one in ast.walk(todo.pop()):
            if isinstance(one, ast.Raise) and isinstance(one.exc, ast.Call):
                names.add(ast.unparse(one.exc.func))
            if isinstance(one, ast.Name) and one.id in private and one.id not in seen:
                seen.add(one.id)
                todo.append(private[one.id])
    return names


def test_there_are_functions_to_look_at() -> None:
    names = {node.name for _, node in CASES}
    assert {"contrast_transfer", "project_volume", "convolve", "back_project"} <= names
    assert len(CASES) > 50


@each_function
def test_every_array_has_a_shape(module: ModuleType, node: ast.FunctionDef) -> None:
    bare = [one.arg for one in arguments(node) if bare_arrays(one.annotation)]
    assert not bare
    assert not bare_arrays(node.returns)


@each_function
def test_every_argument_is_explained(module: ModuleType, node: ast.FunctionDef) -> None:
    text = ast.get_docstring(node) or ""
    described = re.findall(r"^ {4}(\w+): ", text.partition("Args:")[2], re.MULTILINE)
    missing = [one.arg for one in arguments(node) if one.arg not in described]
    assert not missing


@each_function
def test_units_are_stated(module: ModuleType, node: ast.FunctionDef) -> None:
    annotations = [one.annotation for one in arguments(node)] + [node.returns]
    text = " ".join(ast.unparse(one) for one in annotations if one)
    if NUMBERS.search(text):
        assert UNIT.search(ast.get_docstring(node) or "")


@each_function
def test_errors_are_named(module: ModuleType, node: ast.FunctionDef) -> None:
    errors = (ast.get_docstring(node) or "").partition("Raises:")[2]
    assert {one for one in raised(module, node) if f"{one}:" not in errors} == set()


@each_function
def test_the_source_is_given(module: ModuleType, node: ast.FunctionDef) -> None:
    """In its own docstring, or in the module's for all of its functions."""
    texts = (ast.get_docstring(node) or "", module.__doc__ or "")
    assert any(re.search(r"\bSource: \S", text) for text in texts)


def owner(module: ModuleType, node: ast.FunctionDef) -> FunctionType:
    if hasattr(module, node.name):
        return getattr(module, node.name)
    kinds = (kind for _, kind in inspect.getmembers(module, inspect.isclass))
    return next(vars(kind)[node.name] for kind in kinds if node.name in vars(kind))


@each_function
def test_arguments_are_checked_at_run_time(
    module: ModuleType, node: ast.FunctionDef
) -> None:
    """Something that is of no type at all is refused before it is used."""
    names = [one.arg for one in arguments(node)]
    if node.args.args and node.args.args[0].arg == "self":
        names.insert(0, "self")
    function = owner(module, node)
    with pytest.raises(TypeCheckError):
        # A generator looks at its arguments when it starts.
        next(function(**dict.fromkeys(names, object())))
