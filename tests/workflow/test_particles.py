"""A user's stack through the whole workflow, beside the same images as simulated."""

import csv
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
import torch
import yaml

from equicryo.io.models import read_chain, read_ensemble
from equicryo.io.normal import read_normal
from equicryo.structure.superposition import rmsd_unaligned

IMAGES = Path("results/test/images")
GAINS = np.array([40.0, 100.0])
OFFSET = 7.0
NEEDS_TRUTH = ("rmsd_mean", "rg_truth", "tm_score_mean", "crlb_rmsd", "prior_rmsd")

pytestmark = pytest.mark.slow


def write_user_stack(folder: Path) -> None:
    """Rename, shuffle, invert and scale the simulated images, in two optics groups."""
    data = folder / "data"
    data.mkdir()
    pixels = mrcfile.read(folder / IMAGES / "1hel_40/particles.mrcs")
    tables = starfile.read(folder / IMAGES / "1hel_40/particles.star")
    group = np.arange(len(pixels)) % 2
    scaled = OFFSET - GAINS[group, None, None] * pixels
    stored = np.random.default_rng(0).permutation(len(pixels))
    with mrcfile.new(data / "extract.mrcs") as file:
        file.set_data(scaled[stored].astype(np.float32))
        file.set_image_stack()
        file.voxel_size = 1.5
    optics, particles = tables["optics"], tables["particles"]
    optics.loc[1] = optics.loc[0]
    optics["rlnOpticsGroup"] = [1, 2]
    particles["rlnOpticsGroup"] = 1 + group
    place = np.argsort(stored)
    particles["rlnImageName"] = [f"{1 + number}@extract.mrcs" for number in place]
    particles = particles.sample(frac=1, random_state=1)
    starfile.write({"optics": optics, "particles": particles}, data / "run_data.star")
    chain = read_chain(folder / IMAGES / "1hel_40/truth.cif")
    (data / "lysozyme.fasta").write_text(f">lysozyme\n{chain.sequence}\n")


def add_dataset(folder: Path, **changes: object) -> None:
    path = folder / "config/test.yaml"
    config = yaml.safe_load(path.read_text())
    particles = {
        "star": "data/run_data.star",
        "root": "data",
        "pixel_size": 1.5,
        "invert": True,
        "sequence": "data/lysozyme.fasta",
        "truth": "",
    }
    config["datasets"]["mine"] = {
        "particles": {**particles, **changes},
        "chunk_size": 15,
        "residue_model": "single",
        "residue_width": 1.8,
    }
    headline = config["studies"][1]
    config["studies"] = [*config["studies"][:2], {**headline, "dataset": ["mine"]}]
    config["studies"][2]["study"] = "images"
    path.write_text(yaml.safe_dump(config))


def read_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results/test/metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_users_stack_gives_the_same_reconstruction(edited) -> None:
    folder = edited.folder
    write_user_stack(folder)
    add_dataset(folder)
    edited.snakemake("results/test/metrics.csv")
    mine = next(row for row in read_rows(folder) if row["dataset"] == "mine")
    same = next(row for row in read_rows(folder) if row["study"] == "headline")

    assert mine["density"] == "measured"
    assert mine["n_images"] == "40"
    assert [mine[name] for name in (*NEEDS_TRUTH, "truth", "snr")] == [""] * 7
    # Noise estimated in 40 images' corners, not known: χ² good to a few per cent.
    assert float(mine["chi2"]) == pytest.approx(float(same["chi2"]), abs=0.1)

    first = read_normal(folder / IMAGES / "mine/normal.npz")
    second = read_normal(folder / IMAGES / "1hel_40/normal.npz")
    margin = (first.support_size - second.support_size) // 2
    inner = slice(margin, margin + second.support_size)
    pair = torch.stack([first.b[inner, inner, inner].flatten(), second.b.flatten()])
    assert torch.corrcoef(pair)[0, 1] > 0.98

    truth = torch.from_numpy(
        read_chain(folder / IMAGES / "1hel_40/truth.cif").coordinates
    )
    errors = [
        rmsd_unaligned(
            torch.from_numpy(read_ensemble(folder / row["reconstruction"])[1]), truth
        ).mean()
        for row in (mine, same)
    ]
    assert errors[0] < 1.3 * errors[1]


def test_contrast_and_pixel_size_that_are_not_the_images_are_refused(edited) -> None:
    folder = edited.folder
    write_user_stack(folder)
    add_dataset(folder, invert=False)
    edited.snakemake("results/test/images/mine/normal.npz", check=False)
    log = (folder / "results/test/logs/combine_groups/mine.log").read_text()
    assert "set particles.invert to true" in log
    assert not (folder / IMAGES / "mine/normal.npz").exists()

    add_dataset(folder, pixel_size=1.2)
    said = edited.snakemake("results/test/images/mine/normal.npz", check=False)
    assert "1.5 Å per pixel, but particles.pixel_size is 1.2 Å" in said
