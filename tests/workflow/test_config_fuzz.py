"""A config with any one value replaced is refused in plain words, or makes settings."""

import copy
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from equicryo.inference.diffusion import ScheduleConfig
from equicryo.io.config import check_config
from equicryo.models.training import TrainingConfig
from equicryo.models.transformer import NetworkConfig
from equicryo.physics.stack import StackConfig
from equicryo.structure.density import VoxelConfig
from equicryo.structure.elastic import EnsembleConfig

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
SOUND = yaml.safe_load((ROOT / "config/test.yaml").read_text())
EXAMPLES = max(500, settings.default.max_examples)

ODD = st.one_of(
    st.sampled_from([None, True, "", "../x", "\0", [], {}, [[]], 0, -1, 10**400]),
    st.sampled_from([float("nan"), float("inf"), -0.0, 1e-320, 1e308, "1e3", "nan"]),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)


def list_places(value: object, place: tuple = ()) -> list[tuple]:
    """Return the path of every value in nested lists and mappings."""
    keys = list(value) if isinstance(value, dict) else []
    keys += range(len(value)) if isinstance(value, list) else []
    inner = [one for key in keys for one in list_places(value[key], (*place, key))]
    return [*([place] if place else []), *inner]


PLACES = list_places(SOUND)


def replace_value(place: tuple, value: object) -> dict:
    changed = copy.deepcopy(SOUND)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    if isinstance(holder[place[-1]], float) and type(value) is int:
        # Either will do for a number, but the tests' type checks know only float.
        value = float(value) if abs(value) < 1e300 else math.inf
    holder[place[-1]] = value
    return changed


def make_settings(config: dict) -> None:
    """Check a config and make the settings of each step."""
    check_config(config, SCHEMA)
    VoxelConfig(**config["voxels"])
    ScheduleConfig(**config["draws"]["schedule"])
    for ensemble in config["ensembles"].values():
        EnsembleConfig(**ensemble)
    for stack in config["stacks"].values():
        StackConfig(**stack)
    for prior in config["priors"].values():
        if "network" in prior:
            NetworkConfig(**prior["network"])
            TrainingConfig(**prior["training"])


def refusal(config: dict) -> str:
    """Return why a config is refused; empty if it is not.

    A ValueError is of a relation between values, which the schema cannot express.
    """
    try:
        make_settings(config)
    except ValueError as error:
        return str(error)
    return ""


def test_the_sound_config_is_accepted() -> None:
    assert not refusal(copy.deepcopy(SOUND))


def test_any_other_value_is_refused_in_plain_words_or_makes_settings() -> None:
    outcomes: list[bool] = []

    @settings(max_examples=EXAMPLES, phases=[Phase.generate])
    @given(st.sampled_from(PLACES), ODD)
    def try_all(place: tuple, value: object) -> None:
        said = refusal(replace_value(place, value))
        assert len(said) < 500
        assert "\n" not in said
        outcomes.append(not said)

    try_all()
    assert outcomes.count(False) > EXAMPLES // 3


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            ("voxels", "box_size"),
            64.0,
            "voxels.box_size: 64.0 is not of type 'integer'",
        ),
        (("stacks", "1hel", "snr"), float("nan"), "stacks.1hel.snr: nan is not"),
        (("priors", "generalist", "training", "steps"), "10", "steps: '10' is not"),
    ],
)
def test_what_json_schema_lets_pass_is_refused(place, value, message) -> None:
    assert message in refusal(replace_value(place, value))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_nothing_at_a_place_is_refused(place: tuple) -> None:
    assert refusal(replace_value(place, {"odd": None}))
