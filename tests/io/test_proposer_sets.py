import csv
from pathlib import Path

from equicryo.io.proposer_sets import read_proposer_training_set

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "chains": "resources/chains/subset.npz",
    "splits": "resources/chains/splits.csv",
    "targets": "resources/chains/targets.npz",
    "held_out": "resources/chains/held_out.csv",
    "constants": "resources/residue_model/constants.json",
}


def test_a_proposer_learns_from_training_chains_alone(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    data = read_proposer_training_set(FILES, "all", 1)
    with Path(FILES["splits"]).open() as file:
        splits = {row["id"]: row["split"] for row in csv.DictReader(file)}
    assert len(data.training_ids) > 1000
    assert {splits[name] for name in data.training_ids} == {"training"}
    held_out = {name for names in data.held_out_ids.values() for name in names}
    assert len(held_out) == 24
    assert not held_out & set(data.training_ids)
    assert data.examples.chains.ids == data.training_ids
    for examples in data.held_out.values():
        assert set(examples.chains.ids) == set(data.held_out_ids["validation"])
