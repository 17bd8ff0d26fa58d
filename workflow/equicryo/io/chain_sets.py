"""Sets of chains in a plain NumPy archive."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from equicryo.errors import InputError
from equicryo.io.arrays import read_arrays, write_arrays
from equicryo.io.tables import read_table
from equicryo.seeds import derive_generator
from equicryo.structure.chain_set import ChainSet


def write_chain_set(path: str | Path, chains: ChainSet) -> None:
    """Write chains as an archive that needs no code of this package to be read.

    Args:
        path: a .npz file, replaced as a whole: `ids`, `length` (int32), `sequence` (one
            byte a residue), `xyz` (int16, 0.01 Å, each chain about its centroid).
        chains: to be written.
    """
    arrays = {
        "ids": np.array(chains.ids, dtype=np.str_),
        "length": chains.lengths.astype(np.int32),
        "sequence": np.frombuffer(chains.sequence.encode("ascii"), dtype="S1"),
        "xyz": chains.steps,
    }
    write_arrays(path, arrays)


def read_chain_set(path: str | Path) -> ChainSet:
    """Read chains as written, plain or compressed.

    Raises:
        InputError: the file is missing, damaged, or its arrays disagree.
    """
    arrays = read_arrays(path, ("ids", "length", "sequence", "xyz"))
    try:
        return ChainSet(
            ids=tuple(arrays["ids"].tolist()),
            lengths=arrays["length"].astype(np.int64),
            sequence=arrays["sequence"].tobytes().decode("ascii"),
            steps=arrays["xyz"].astype(np.int16, casting="safe"),
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{path}: no set of chains ({error}): delete it to have it made anew"
        ) from error


def read_splits(
    chains: str | Path, table: str | Path, splits: Collection[str]
) -> ChainSet:
    """Read the chains of some splits.

    Args:
        chains: archive as written.
        table: CSV file with columns `id` and `split`.
        splits: names of the splits wanted.

    Raises:
        InputError: a file is missing or damaged, or a split has no chain there.
    """
    found = read_chain_set(chains)
    split = {row["id"]: row["split"] for row in read_table(table)}
    empty = set(splits) - {split.get(name) for name in found.ids}
    if empty:
        raise InputError(
            f"{table}: no chain of {chains} is in split {', '.join(sorted(empty))}: "
            f"name some of {', '.join(sorted(set(split.values())))}"
        )
    return found.select(
        [i for i, name in enumerate(found.ids) if split.get(name) in splits]
    )


def read_training_chains(
    files: Mapping[str, str], count: int | Literal["all"], seed: int
) -> ChainSet:
    """Read the chains that a prior may learn from, or some of them.

    Args:
        files: `chains`, `splits` (see resources/chains).
        count: how many, drawn at random, or all.
        seed: of the drawing.

    Raises:
        InputError: a file is missing or damaged, or holds too few training chains.
    """
    chains = read_chain_set(files["chains"])
    splits = {row["id"]: row["split"] for row in read_table(files["splits"])}
    learnt = [i for i, name in enumerate(chains.ids) if splits.get(name) == "training"]
    if count != "all":
        if count > len(learnt):
            raise InputError(
                f"{files['chains']}: {count} training chains asked for, but "
                f"{files['splits']} names {len(learnt)} of its chains for training: "
                "ask for fewer, or take a larger set"
            )
        generator = derive_generator(seed, "read_chain_training_set")
        order = torch.randperm(len(learnt), generator=generator)[:count]
        learnt = sorted(learnt[index] for index in order.tolist())
    return chains.select(learnt)
