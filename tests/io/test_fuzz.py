"""Damaged input of every kind is refused in one message, quickly and within bounds.

500 damaged files of each kind; `pytest tests/io/test_fuzz.py --hypothesis-profile long`
tries 10,000.
"""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings

from equicryo.errors import InputError
from equicryo.io.checkpoints import SafetensorsCheckpointIO
from equicryo.io.cryosparc import read_cs_particles
from equicryo.io.documents import read_document
from equicryo.io.maps import DensityMap, read_map, write_map
from equicryo.io.models import read_ensemble, write_ensemble
from equicryo.io.normal import read_normal, write_normal
from equicryo.io.particles import read_batches, read_particles
from equicryo.io.points import (
    read_conformers,
    read_points,
    write_conformers,
    write_points,
)
from equicryo.io.priors import describe_whitening, read_prior, write_weights
from equicryo.io.relion import read_star_particles
from equicryo.io.sequences import read_molecule
from equicryo.io.structures import StructureConfig, read_structure
from equicryo.io.tables import read_table
from equicryo.models.denoiser import Denoiser
from equicryo.models.transformer import NetworkConfig
from equicryo.models.whitening import fit_whitening
from equicryo.physics.normal_equations import NormalEquations
from equicryo.structure.chain import Chain
from equicryo.structure.conformers import Conformers

from .mutations import Edit, edits, mutate, mutate_archive, refuse_or_read

EXAMPLES = max(500, settings.default.max_examples)
RESIDUES = 6
LYSOZYME = Path("resources/structures/1hel.pdb").resolve()
TINY = Path("config/test.yaml").resolve()


@dataclass(frozen=True)
class Case:
    """A sound file and its reader.

    Attributes:
        path: of the file.
        content: of the sound file.
        read: reads it.
    """

    path: Path
    content: bytes
    read: Callable[[Path], object]


def small_pdb() -> str:
    """Return the first residues of lysozyme with a header."""
    lines = LYSOZYME.read_text().splitlines()
    atoms = [line for line in lines if line.startswith("ATOM")]
    first = [line for line in atoms if int(line[22:26]) <= RESIDUES]
    return "\n".join([*lines[:5], *first, "TER", "END", ""])


def read_any_structure(path: Path) -> object:
    settings = StructureConfig(
        source="file", file=str(path), sha256="", model=1, chain="A", altloc="highest"
    )
    return read_structure(path, settings, "fuzzed")


def read_all_images(path: Path) -> object:
    particles = read_particles(path)
    return list(read_batches(particles, 0, len(particles)))


def write_small_prior(folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (9, RESIDUES, 3)
    chains = 5.0 * torch.randn(shape, dtype=torch.float64, generator=generator)
    network = NetworkConfig(width=4, rounds=1, layers=1, heads=1)
    denoiser = Denoiser(network, fit_whitening(chains))
    write_weights(folder / "weights.safetensors", denoiser)
    card = {"architecture": vars(network), "whitening": describe_whitening(denoiser)}
    (folder / "card.json").write_text(json.dumps(card))


def read_small_prior(path: Path) -> object:
    folder = path.parent
    weights, card = folder / "weights.safetensors", folder / "card.json"
    return read_prior(weights, card, "A" * RESIDUES)


def write_small_arrays(folder: Path) -> None:
    generator = np.random.default_rng(0)
    chain = Chain(
        name="small",
        chain_id="A",
        sequence="A" * RESIDUES,
        residue_numbers=np.arange(RESIDUES),
        insertion_codes=("",) * RESIDUES,
        coordinates=generator.normal(size=(RESIDUES, 3)),
        b_factors=np.ones(RESIDUES),
    )
    write_points(folder / "points.npz", chain)
    models = generator.normal(size=(3, RESIDUES, 3))
    write_ensemble(folder / "ensemble.cif", chain, models, chain.b_factors)
    conformers = Conformers(training=models[:2], held_out=models[2:])
    write_conformers(folder / "conformers.npz", conformers)
    normal = NormalEquations(
        b=torch.zeros((4,) * 3, dtype=torch.float64),
        kernel=torch.zeros((8,) * 3, dtype=torch.float64),
        data_energy=1.0,
        n_observations=7,
        n_images=2,
        pixel_size=1.1,
        box_size=10,
        noise_power=torch.ones(6, dtype=torch.float64),
        input_sha256="ab" * 32,
    )
    write_normal(folder / "normal.npz", normal)
    volume = generator.normal(size=(6, 6, 6)).astype(np.float32)
    write_map(folder / "map.mrc", DensityMap(volume=volume, pixel_size=1.5))


READERS: dict[str, Callable[[Path], object]] = {
    "small.pdb": read_any_structure,
    "small.cif": read_any_structure,
    "ensemble.cif": read_ensemble,
    "small.fasta": read_molecule,
    "particles.star": lambda path: read_star_particles(path, None),
    "particles.cs": lambda path: read_cs_particles(path, None),
    "particles.mrcs": lambda path: read_all_images(path.with_suffix(".star")),
    "map.mrc": read_map,
    "weights.safetensors": read_small_prior,
    "card.json": read_small_prior,
    "state.safetensors": SafetensorsCheckpointIO().load_checkpoint,
    "points.npz": read_points,
    "conformers.npz": read_conformers,
    "normal.npz": read_normal,
    "table.csv": read_table,
    "document.json": read_document,
}


@pytest.fixture
def cases(cs, tmp_path: Path) -> dict[str, Case]:
    """A sound file for each reader, all in the working folder."""
    folder = cs.path.parent
    write_small_arrays(folder)
    write_small_prior(folder)
    text = small_pdb()
    (folder / "small.pdb").write_text(text)
    document = gemmi.read_pdb_string(text).make_mmcif_document()
    (folder / "small.cif").write_text(document.as_string())
    (folder / "small.fasta").write_text(">small\nKVFGRC\n")
    (folder / "table.csv").write_text("a,b\n1,2.5\n3,x\n")
    (folder / "document.json").write_text('{"a": [1, 2.5, null], "b": {"c": "x"}}')
    state = {"step": 3, "weights": torch.ones(5), "nested": {"a": [1, (2, "x")]}}
    SafetensorsCheckpointIO().save_checkpoint(state, folder / "state.safetensors")
    return {
        name: Case(folder / name, (folder / name).read_bytes(), read)
        for name, read in READERS.items()
    }


@pytest.mark.parametrize("name", READERS)
def test_sound_files_are_read(cases, tmp_path: Path, name: str) -> None:
    case = cases[name]
    assert refuse_or_read(lambda: case.read(case.path), tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_refused(cases, tmp_path: Path, name: str) -> None:
    case = cases[name]
    damage = [mutate, mutate_archive] if name.endswith(".npz") else [mutate]
    refused = itertools.count()

    # Not shrunk: a small damage is no plainer than a large one, and it takes minutes.
    @settings(max_examples=EXAMPLES, phases=[Phase.generate])
    @given(edits())
    def try_all(changes: list[Edit]) -> None:
        for change in damage:
            case.path.write_bytes(change(case.content, changes))
            if not refuse_or_read(lambda: case.read(case.path), tmp_path):
                next(refused)

    try_all()
    # Else the damage would be too slight to prove anything.
    assert next(refused) > EXAMPLES // 20


def test_the_harness_sees_each_kind_of_harm(tmp_path: Path) -> None:
    def open_outside() -> None:
        Path(__file__).read_bytes()

    def take_memory() -> None:
        np.zeros(1 << 31, dtype=np.uint8)

    def show_a_traceback() -> None:
        raise KeyError("a")

    with pytest.raises(AssertionError):
        refuse_or_read(open_outside, tmp_path)
    with pytest.raises(MemoryError):
        refuse_or_read(take_memory, tmp_path)
    with pytest.raises(KeyError):
        refuse_or_read(show_a_traceback, tmp_path)
    message = "sound files only"

    def refuse() -> None:
        raise InputError(message)

    assert not refuse_or_read(refuse, tmp_path)
