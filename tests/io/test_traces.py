from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml

from equicryo.inference.traces import RefinedTrace
from equicryo.io.geometry import write_geometry
from equicryo.io.models import write_ensemble
from equicryo.io.proposal_search import read_proposal_search
from equicryo.io.traces import read_traces, write_traces
from equicryo.structure.chain import Chain
from equicryo.structure.trace_geometry import TraceGeometry

ROOT = Path(__file__).parents[2]
RESIDUES = 5


def trace(seed: int) -> RefinedTrace:
    coordinates = torch.randn(
        RESIDUES, 3, generator=torch.Generator().manual_seed(seed)
    )
    return RefinedTrace(
        coordinates=coordinates.double(), log_likelihood=-3.5, log_restraint=-0.25
    )


def test_traces_are_read_as_written(tmp_path):
    written = [replace(trace(0), confirmed=True), trace(1)]
    write_traces(tmp_path / "traces.npz", written)
    for found, expected in zip(
        read_traces(tmp_path / "traces.npz"), written, strict=True
    ):
        assert torch.equal(found.coordinates, expected.coordinates)
        assert found.log_posterior == expected.log_posterior
        assert found.confirmed == expected.confirmed


def test_no_trace_is_read_as_none(tmp_path):
    write_traces(tmp_path / "traces.npz", [])
    assert read_traces(tmp_path / "traces.npz") == []


def test_a_file_of_no_models_can_be_written(tmp_path):
    chain = Chain(
        name="test",
        chain_id="A",
        sequence="GAVLI",
        residue_numbers=np.arange(RESIDUES),
        insertion_codes=("",) * RESIDUES,
        coordinates=np.zeros((RESIDUES, 3)),
        b_factors=np.zeros(RESIDUES),
    )
    nothing = np.empty((0, RESIDUES, 3))
    write_ensemble(tmp_path / "traces.cif", chain, nothing, np.zeros(RESIDUES))
    assert "ATOM" not in (tmp_path / "traces.cif").read_text()


def test_the_shipped_networks_are_read_for_a_search(tmp_path):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    tracing = config["tracing"]
    geometry = TraceGeometry(
        distance=np.zeros(36), start=np.zeros(12), turn=np.zeros((12, 12, 24))
    )
    write_geometry(tmp_path / "geometry.npz", geometry)
    search = read_proposal_search(
        {
            "weights": f"{ROOT}/{tracing['proposer']}/weights.safetensors",
            "card": f"{ROOT}/{tracing['proposer']}/card.json",
            "prior": f"{ROOT}/{tracing['prior']}/weights.safetensors",
            "prior_card": f"{ROOT}/{tracing['prior']}/card.json",
            "geometry": str(tmp_path / "geometry.npz"),
            "refined_geometry": str(tmp_path / "geometry.npz"),
        },
        {
            "proposals": tracing["proposals"],
            "annealing": tracing["annealing"],
            "explorer": {**config["samplers"]["mmps"], **tracing["exploration"]},
        },
        "GAVLI",
        generator=torch.Generator(),
    )
    assert search.config.places == tuple(tracing["proposals"]["places"])
    assert vars(search.annealing) == tracing["annealing"]
    start = tracing["exploration"]["schedule"]["largest_noise"]
    # More noise than that of samples that are to stay at their trace.
    assert search.explorer.config.schedule.largest_noise == start
    assert start > config["samplers"]["mmps"]["schedule"]["largest_noise"]
    assert len(search.explorer.prior.residue_types) == 5
