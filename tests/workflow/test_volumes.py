"""A tiny voxel prior, trained, used and scored beside the baselines."""

import csv
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow

VOLUMES = Path("results/test/volumes/1hel_40")
BLOCKS = {
    "voxel_priors": {
        "density": {
            "chains": "resources/chains/subset.npz",
            "count": 60,
            "grid": {"box_size": 48, "pixel_sizes": [1.5], "b_factors": [10, 80]},
            "network": {"stem": 4, "channels": [8, 16], "blocks": 1},
            "training": {
                "steps": 4,
                "batch_volumes": 1,
                "learning_rate": 0.001,
                "warm_up": 1,
                "cool_down": 1,
                "average_decay": 0.5,
                "smallest_noise": 0.02,
                "largest_noise": 10,
                "gradient_clip": 1,
                "checkpoint_interval": 2,
                "validation_interval": 4,
            },
        }
    },
    "volume_samplers": {
        "pigdm": {
            "samples": 4,
            "schedule": {"steps": 6, "largest_noise": 2.0, "smallest_noise": 0.05},
        }
    },
    "volume_studies": [
        {
            "dataset": ["1hel_40"],
            "voxel_prior": ["density"],
            "volume_sampler": ["pigdm"],
            "seed": [1, 2],
        }
    ],
}


def read_rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open() as file:
        return {row["method"]: row for row in csv.DictReader(file)}


def test_densities_are_reconstructed_and_scored_beside_the_baselines(edited):
    path = edited.folder / "config/test.yaml"
    path.write_text(
        yaml.safe_dump(yaml.safe_load(path.read_text()) | BLOCKS, sort_keys=False)
    )
    planned = edited.planned()
    assert planned == {
        "train_voxel_prior": 1,
        "reconstruct_volume": 2,
        "control_volume": 2,
        "score_volumes": 1,
        "tabulate_volumes": 1,
        "draw_volumes": 1,
        "write_provenance": 1,
    }
    edited.snakemake()

    rows = read_rows(edited.folder / "results/test/voxel.csv")
    assert list(rows["unet"]) == [
        *("target", "total_snr", "method", "fsc05", "masked_cc", "coverage90", "n")
    ]
    assert set(rows) == {"unet", "wiener_oracle", "wiener_estimated", "backprojection"}
    assert {row["total_snr"] for row in rows.values()} == {"40"}
    assert [rows[name]["n"] for name in ("unet", "wiener_oracle")] == ["2", "1"]
    oracle = float(rows["wiener_oracle"]["masked_cc"])
    # Hardly trained, the network is a Wiener filter of a typical protein's spectrum.
    assert float(rows["unet"]["masked_cc"]) == pytest.approx(oracle, abs=0.1)
    assert float(rows["backprojection"]["masked_cc"]) < oracle
    assert 0.8 < float(rows["wiener_oracle"]["coverage90"]) < 1.0

    folder = edited.folder / VOLUMES
    truth = mrcfile.read(folder / "truth.mrc")
    means = [
        mrcfile.read(folder / f"density/pigdm/seed{seed}/mean.mrc") for seed in (1, 2)
    ]
    assert truth.shape == means[0].shape == (48, 48, 48)
    assert not np.array_equal(*means)
    assert np.corrcoef(truth.ravel(), means[0].ravel())[0, 1] > 0.5
    with (folder / "density/pigdm/seed1/control.csv").open() as file:
        control = list(csv.DictReader(file))
    assert len(control) == 50
    excess = [float(row["correlation"]) - float(row["control"]) for row in control]
    # A network that knows no protein shows none: chains fit no better than clouds.
    assert sum(excess) / 50 < 0.05
    local = mrcfile.read(folder / "local_resolution.mrc")
    assert 3.0 <= local[local > 0.0].min()
    weights = load_file(
        edited.folder / "results/test/voxel_priors/density/weights.safetensors"
    )
    assert weights["network.out.2.conv.weight"].dtype == np.float16
    assert (edited.folder / "results/test/figures/volumes_1hel_40.svg").exists()
