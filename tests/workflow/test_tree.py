"""The tree keeps its own rules: layers, pins, schema against dataclasses."""

import dataclasses
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from equicryo.inference.diffusion import ScheduleConfig
from equicryo.inference.orientation import OrientationConfig
from equicryo.inference.samplers import SAMPLERS
from equicryo.inference.scale import ScaleConfig
from equicryo.inference.volume_samplers import VolumePnpDmConfig
from equicryo.inference.volume_sampling import VolumeSamplerConfig
from equicryo.io.structures import StructureConfig
from equicryo.models.training import TrainingConfig
from equicryo.models.transformer import NetworkConfig
from equicryo.models.voxel_denoiser import VoxelNetworkConfig
from equicryo.models.voxel_examples import GridConfig
from equicryo.models.voxel_training import VoxelTrainingConfig
from equicryo.physics.stack import StackConfig
from equicryo.structure.density import VoxelConfig
from equicryo.structure.elastic import EnsembleConfig

ROOT = Path(__file__).resolve().parents[2]


def test_imports_run_one_way():
    done = subprocess.run(
        ["lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", ["environment.yml", "envs/gpu.yaml"])
def test_environments_carry_the_pins_of_the_package(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((ROOT / path).read_text())
    parts = environment["dependencies"]
    (pip,) = [part["pip"] for part in parts if isinstance(part, dict)]
    pinned = [line for line in pip if not line.startswith("-")]
    assert pinned == project["dependencies"]
    assert all("==" in line for line in pinned)


SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
KEYS = SCHEMA["properties"]
VOXEL_PRIOR = SCHEMA["$defs"]["voxel_prior"]["properties"]


@pytest.mark.parametrize(
    ("settings", "block"),
    [
        (StructureConfig, KEYS["structures"]["additionalProperties"]),
        (VoxelConfig, KEYS["voxels"]),
        (EnsembleConfig, KEYS["ensembles"]["additionalProperties"]),
        (StackConfig, SCHEMA["$defs"]["simulated"]),
        (ScheduleConfig, SCHEMA["$defs"]["schedule"]),
        *(
            (sampler.settings, KEYS["samplers"]["properties"][name])
            for name, sampler in SAMPLERS.items()
        ),
        (OrientationConfig, SCHEMA["$defs"]["orientation"]),
        (ScaleConfig, KEYS["scale_inference"]),
        (NetworkConfig, SCHEMA["$defs"]["network"]),
        (TrainingConfig, SCHEMA["$defs"]["training"]),
        (GridConfig, VOXEL_PRIOR["grid"]),
        (VoxelNetworkConfig, VOXEL_PRIOR["network"]),
        (VoxelTrainingConfig, VOXEL_PRIOR["training"]),
        (VolumeSamplerConfig, SCHEMA["$defs"]["volume_sampler"]),
        (VolumePnpDmConfig, KEYS["volume_samplers"]["properties"]["pnp_dm"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_schema_and_dataclass_agree_key_for_key(settings, block):
    fields = dataclasses.fields(settings)
    assert set(block["properties"]) == {field.name for field in fields}
    assert set(block["required"]) == {
        field.name for field in fields if field.default is dataclasses.MISSING
    }
    assert block["additionalProperties"] is False


def test_schema_and_registry_have_the_same_samplers():
    assert set(KEYS["samplers"]["properties"]) == set(SAMPLERS)


@pytest.mark.parametrize("name", ["config", "test", "paper"])
def test_shipped_configs_have_every_key_and_reconstruct_in_matched_density(name):
    """A config with every key stands alone: nothing of the default is merged in."""
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    assert set(config) == set(KEYS)
    for dataset in config["datasets"].values():
        width = config["stacks"][dataset["stack"]]["residue_width"]
        assert dataset["residue_width"] == width


def test_published_data_sets_differ_from_the_centre_in_one_factor():
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    stacks, datasets = config["stacks"], config["datasets"]
    centre = datasets["1hel_200"]
    centres = {0: stacks[centre["stack"]], "deposited": stacks["1hel_a"]}
    assert centres["deposited"] == {**centres[0], "conformer": "deposited"}
    for name, stack in stacks.items():
        settings = centres[stack["conformer"]]
        changed = {key for key, value in stack.items() if value != settings.get(key)}
        # A voxel prior's grid comes with a pixel size that holds the molecule.
        grid = {"support_size", "pixel_size"} if "support_size" in stack else set()
        changed -= {"target", *grid}
        assert len(changed) <= 1 or changed == {"pose_error_deg", "shift_error"}, name
    counts = {one["n_images"] for one in datasets.values() if one["stack"] == "1hel"}
    assert counts == {3, 5, 16, 100, 200, 300, 1000, 10000}
    assert {stack["snr"] for stack in stacks.values()} == {0.01, 0.1, 1.0, 1000.0}
    assert {stack["density"] for stack in stacks.values()} == {"matched", "all-atom"}
    assert {stack["ctf"] for stack in stacks.values()} == {"on", "off"}


def test_every_rule_script_and_log_share_a_name():
    rules = (ROOT / "workflow/rules").glob("*.smk")
    text = "\n".join(path.read_text() for path in rules)
    names = [
        line.removeprefix("rule ").removesuffix(":")
        for line in text.splitlines()
        if line.startswith("rule ")
    ]
    scripts = {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")}
    assert set(names) == scripts
    for name in names:
        assert f"logs/{name}" in text
        assert f"scripts/{name}.py" in text
        assert f'fingerprint("{name}"' in text


def test_scripts_are_short_and_define_nothing():
    for path in (ROOT / "workflow/scripts").glob("*.py"):
        text = path.read_text()
        assert text.count("\n") <= 65, path.name
        assert "\ndef " not in text, path.name
