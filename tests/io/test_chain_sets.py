from pathlib import Path

import pytest

from equicryo.errors import InputError
from equicryo.io.chain_sets import read_chain_set, read_splits
from equicryo.io.tables import read_table

CHAINS = Path("resources/chains")


def test_chains_of_splits_are_those_of_the_table():
    found = read_splits(
        CHAINS / "targets.npz", CHAINS / "held_out.csv", ["validation", "test"]
    )
    table = {row["id"]: row["split"] for row in read_table(CHAINS / "held_out.csv")}
    assert sorted({table[name] for name in found.ids}) == ["test", "validation"]
    everything = read_chain_set(CHAINS / "targets.npz")
    others = set(everything.ids) - set(found.ids)
    assert not {table[name] for name in others} & {"validation", "test"}
    index = everything.ids.index(found.ids[3])
    assert found.sequence_of(3) == everything.sequence_of(index)


def test_split_without_a_chain_is_named():
    with pytest.raises(InputError, match=r"no chain of .* is in split trainig: name"):
        read_splits(
            CHAINS / "targets.npz", CHAINS / "held_out.csv", ["test", "trainig"]
        )
