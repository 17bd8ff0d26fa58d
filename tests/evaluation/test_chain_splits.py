from pathlib import Path

import numpy as np
import pytest
import torch

from equicryo.evaluation.chain_splits import (
    RELATED,
    align_chains,
    nearest_relative,
    order_training,
    relatives_of,
    split_chains,
)
from equicryo.io.chain_sets import read_chain_set
from equicryo.io.tables import read_table
from equicryo.structure.chain_selection import refusal
from equicryo.structure.chain_set import ChainSet

CHAINS = Path(__file__).parents[2] / "resources/chains"
N_ALIGNED = 40


@pytest.fixture(scope="module")
def splits():
    return {row["id"]: row for row in read_table(CHAINS / "splits.csv")}


@pytest.fixture(scope="module")
def subset():
    return read_chain_set(CHAINS / "subset.npz")


@pytest.fixture(scope="module")
def targets():
    return read_chain_set(CHAINS / "targets.npz")


@pytest.fixture(scope="module")
def held_out():
    return {row["id"]: row["split"] for row in read_table(CHAINS / "held_out.csv")}


def make_set(ids):
    return ChainSet(
        ids=ids,
        lengths=np.full(len(ids), 50, dtype=np.int64),
        sequence="A" * 50 * len(ids),
        steps=np.zeros((50 * len(ids), 3), dtype=np.int16),
    )


def test_relatives_families_and_their_entries_leave_training():
    chains = make_set(("1VAL_A", "1VAL_B", "2REL_A", "2REL_B", "3FAM_C", "4FAR_A"))
    scores = {
        "1VAL_A": np.array([1.0, 0.2, 0.51, 0.2, 0.2, 0.5]),
        "9TAR_A": np.array([0.3, 0.3, 0.3, 0.4, 0.3, 0.3]),
    }
    held_out = {"1VAL_A": "validation", "9TAR_A": "benchmark"}
    rows = split_chains(chains, scores, held_out, {"3FAM_A"})
    found = {row["id"]: row["split"] for row in rows}
    assert found.pop("1VAL_A") == "validation"
    assert found.pop("4FAR_A") == "training"
    assert set(found.values()) == {"excluded"}
    nearest = {row["id"]: (row["nearest_target"], row["tm_score"]) for row in rows}
    assert nearest["2REL_A"] == ("1VAL_A", 0.51)
    assert nearest["2REL_B"] == ("9TAR_A", 0.4)


def test_score_is_normalised_by_the_target_and_bounded_by_length(targets):
    target = targets.select([targets.ids.index("1HEL_A")])
    length = int(target.lengths[0])

    def part(residues):
        return ChainSet(
            ids=("PART_A",),
            lengths=np.array([residues], dtype=np.int64),
            sequence=target.sequence[:residues],
            steps=target.steps[:residues],
        )

    assert align_chains(target, target) == pytest.approx([1.0])
    assert align_chains(part(80), target) == pytest.approx([80 / length], abs=2e-3)
    assert align_chains(target, part(80)) == pytest.approx([1.0], abs=2e-3)
    # Half as long can reach half the score at most: the bound itself is returned.
    assert align_chains(part(64), target) == [64 / length]


def test_the_search_for_a_relative_ends_at_the_first(subset, targets):
    target = targets.select([targets.ids.index("1HEL_A")])
    shake = np.random.default_rng(0).integers(-80, 80, (129, 3), dtype=np.int16)
    bent = ChainSet(
        ids=("BENT_A",),
        lengths=target.lengths,
        sequence=target.sequence,
        steps=target.steps + shake,
    )
    strangers = subset.select(np.flatnonzero(subset.lengths > 64)[:20].tolist())
    (score,) = align_chains(bent, target)
    both = ChainSet(
        ids=(*strangers.ids, *bent.ids),
        lengths=np.concatenate((strangers.lengths, bent.lengths)),
        sequence=strangers.sequence + bent.sequence,
        steps=np.concatenate((strangers.steps, bent.steps)),
    )
    assert nearest_relative(target, both) == ("BENT_A", score)
    name, alone = nearest_relative(target, strangers)
    assert name in {*strangers.ids, ""}
    # What is passed over is unlike: none of these is missed that is related.
    assert alone <= max(align_chains(strangers, target)) < RELATED < score


def test_thinned_chains_do_not_hide_a_relative(splits, targets):
    chains = read_chain_set(CHAINS / "assessed.npz")
    rows = read_table(CHAINS / "assessed.csv")
    assert chains.ids == tuple(row["id"] for row in rows)
    found = 0
    for index in range(0, len(chains), 8):
        name = rows[index]["held_out"]
        target = targets.select([targets.ids.index(name)])
        chain = chains.select([index])
        (score,) = align_chains(chain, target)
        if score > RELATED:
            assert nearest_relative(target, chain) == (chain.ids[0], score)
            found += 1
    assert found > 5


def test_assessed_chains_are_kept_from_training_and_known_to_have_no_relative(splits):
    rows = read_table(CHAINS / "assessed.csv")
    assert len(rows) == len({row["id"] for row in rows})
    for row in rows:
        assert splits[row["id"]]["split"] == "excluded"
        assert float(row["tm_score"]) <= RELATED
        assert not row["nearest_training"] or (
            splits[row["nearest_training"]]["split"] == "training"
        )


def test_relatives_of_a_chain_come_in_an_order_of_their_own(splits):
    rows = list(splits.values())
    first, again, other = (
        relatives_of("2VKN_A", rows, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert sorted(first) == sorted(other)
    assert first != other
    assert all(splits[name]["nearest_target"] == "2VKN_A" for name in first)


def test_training_chains_most_like_the_target_come_first():
    chains = make_set(("1FAR_A", "2NEA_A", "3NEA_A", "4OUT_A"))
    rows = [
        {"id": name, "split": split, "length": length, "nearest_target": near} | score
        for name, split, length, near, score in (
            ("1FAR_A", "training", "50", "9TAR_A", {"tm_score": "0.49"}),
            ("2NEA_A", "training", "90", "8TAR_A", {"tm_score": "0.30"}),
            ("3NEA_A", "training", "40", "8TAR_A", {"tm_score": "0.40"}),
            ("4OUT_A", "excluded", "50", "8TAR_A", {"tm_score": "0.90"}),
        )
    ]
    ordered = order_training(chains, "8TAR_A", 50, rows)
    assert ordered.ids == ("3NEA_A", "2NEA_A", "1FAR_A")


def test_splits_hold_every_held_out_chain_once(splits, held_out, targets):
    assert set(held_out) == set(targets.ids)
    counts = list(held_out.values())
    assert (counts.count("validation"), counts.count("test")) == (10, 10)
    in_database = {name for name in held_out if name in splits}
    assert {name for name in held_out if held_out[name] != "benchmark"} <= in_database
    for name in in_database:
        assert splits[name]["split"] == held_out[name]


def test_no_training_entry_is_held_out_or_of_a_family(splits, held_out):
    families = {row["id"] for row in read_table(CHAINS / "families.csv")}
    barred = {name[:4] for name in (*held_out, *families)}
    training = [name for name, row in splits.items() if row["split"] == "training"]
    assert len(training) > 10_000
    assert not [name for name in training if name[:4] in barred]
    assert families - set(held_out) <= {
        name for name, row in splits.items() if row["split"] == "excluded"
    }


def test_no_recorded_score_relates_training_to_a_held_out_chain(splits):
    recorded = [
        float(row["tm_score"])
        for row in splits.values()
        if row["split"] == "training" and row["tm_score"]
    ]
    assert len(recorded) > 5_000
    assert max(recorded) <= RELATED


def test_subset_agrees_with_the_splits(splits, subset):
    lengths = dict(zip(subset.ids, subset.lengths.tolist(), strict=True))
    for name, length in lengths.items():
        assert int(splits[name]["length"]) == length
    found = [splits[name]["split"] for name in subset.ids]
    assert found.count("training") > 1_900
    assert (found.count("validation"), found.count("test")) == (10, 10)
    assert "excluded" not in found


def test_subset_holds_the_held_out_coordinates(subset, targets, held_out):
    for name in (name for name in held_out if name in subset.ids):
        np.testing.assert_array_equal(
            subset.coordinates_of(subset.ids.index(name)),
            targets.coordinates_of(targets.ids.index(name)),
        )


def test_subset_is_whole_and_right_handed(subset):
    for index in range(len(subset)):
        sequence, coordinates = subset.sequence_of(index), subset.coordinates_of(index)
        assert refusal(sequence, coordinates) == ""
    # A helix-rich chain that is mirrored would be refused.
    index = subset.ids.index("1A6M_A")
    mirrored = subset.coordinates_of(index) * [1, 1, -1]
    assert refusal(subset.sequence_of(index), mirrored) == "mirrored"


def test_random_training_chains_have_other_folds_than_held_out_chains(
    splits, subset, targets
):
    generator = np.random.default_rng(0)
    training = [
        index
        for index, name in enumerate(subset.ids)
        if splits[name]["split"] == "training"
    ]
    chosen = generator.choice(training, N_ALIGNED, replace=False)
    compared = generator.choice(len(targets), N_ALIGNED)
    for chain, target in zip(chosen.tolist(), compared.tolist(), strict=True):
        (score,) = align_chains(subset.select([chain]), targets.select([target]))
        assert score <= RELATED, (subset.ids[chain], targets.ids[target])


def test_nearest_training_chains_score_as_recorded(splits, subset, targets):
    rows = [
        splits[name]
        for name in subset.ids
        if splits[name]["split"] == "training" and splits[name]["tm_score"]
    ]
    nearest = sorted(rows, key=lambda row: float(row["tm_score"]))[-N_ALIGNED:]
    for row in nearest:
        chain = subset.select([subset.ids.index(row["id"])])
        target = targets.select([targets.ids.index(row["nearest_target"])])
        (score,) = align_chains(chain, target)
        assert score <= RELATED
        # The benchmark targets are rounded to 0.01 Å in the file.
        assert score == pytest.approx(float(row["tm_score"]), abs=0.02)


@pytest.mark.slow
def test_200_training_chains_have_other_folds_than_three_held_out_chains_each(
    splits, subset, targets
):
    generator = np.random.default_rng(1)
    training = [
        index
        for index, name in enumerate(subset.ids)
        if splits[name]["split"] == "training"
    ]
    for index in generator.choice(training, 200, replace=False).tolist():
        chain = subset.select([index])
        for target in generator.choice(len(targets), 3, replace=False).tolist():
            (score,) = align_chains(chain, targets.select([target]))
            assert score <= RELATED, (subset.ids[index], targets.ids[target])
