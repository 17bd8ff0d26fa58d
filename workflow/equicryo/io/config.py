"""The config against its schema, before any job."""

import math
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

from equicryo.errors import InputError

LONGEST_PROBLEM = 300
"""Characters: the schema's words quote the whole value."""


def check_config(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Refuse a config that its schema does not allow.

    Stricter than JSON Schema, for which 64.0 is an integer and NaN a number that no
    bound excludes.

    Args:
        config: as read from YAML.
        schema: JSON Schema, draft 2020-12.

    Raises:
        InputError: names the place, what is wrong, and where keys are explained.
    """
    problem = best_match(_Strict(schema).iter_errors(config))
    if problem is None:
        return
    place = ".".join(map(str, problem.absolute_path)) or "top level"
    said = " ".join(problem.message.split())
    if len(said) > LONGEST_PROBLEM:
        said = f"{said[:LONGEST_PROBLEM]} …"
    raise InputError(f"config: {place}: {said}: see config/README.md")


def order_keys(value: Any) -> Any:
    """Return a config with the keys of all its mappings in alphabetical order.

    Snakemake tells by their text whether a job's parameters have changed, and a config
    means the same in any order.

    Args:
        value: what YAML holds: mappings, lists, numbers and text.
    """
    if isinstance(value, Mapping):
        return {name: order_keys(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [order_keys(item) for item in value]
    return value


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return _is_integer(_, value)


_Strict = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)
