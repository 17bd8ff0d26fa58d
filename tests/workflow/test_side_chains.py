"""A chain whose side chains show is traced through what the proposer sees."""

import pytest
import yaml

from equicryo.io.models import read_chain, read_ensemble
from equicryo.structure.superposition import rmsd_unaligned

pytestmark = pytest.mark.slow

TRACES, IMAGES = "results/test/traces/1hel_40", "results/test/images/1hel_40"
STACK = {
    "conformer": "deposited",
    "density": "all-atom",
    "snr": 5.0,
    "box_size": 88,
    "pixel_size": 1.25,
}


def test_a_chain_with_side_chains_is_traced(checkout):
    path = checkout.folder / "config/test.yaml"
    config = yaml.safe_load(path.read_text())
    config["stacks"]["1hel"].update(STACK)
    config["datasets"]["1hel_40"]["residue_model"] = "full"
    path.write_text(yaml.safe_dump(config))
    checkout.snakemake(f"{TRACES}/traces.cif", "--cores", "2")
    truth = read_chain(checkout.folder / IMAGES / "truth.cif").coordinates
    traces = read_ensemble(checkout.folder / TRACES / "traces.cif")
    print([float(rmsd_unaligned(t, truth)) for t in traces])
