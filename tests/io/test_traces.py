import numpy as np
import torch

from equicryo.inference.tracing_refinement import RefinedTrace
from equicryo.io.models import write_ensemble
from equicryo.io.tracing import read_traces, write_traces
from equicryo.structure.chain import Chain

RESIDUES = 5


def trace(seed: int) -> RefinedTrace:
    coordinates = torch.randn(
        RESIDUES, 3, generator=torch.Generator().manual_seed(seed)
    )
    return RefinedTrace(
        coordinates=coordinates.double(), log_likelihood=-3.5, log_restraint=-0.25
    )


def test_traces_are_read_as_written(tmp_path):
    written = [trace(0), trace(1)]
    write_traces(tmp_path / "traces.npz", written)
    for found, expected in zip(
        read_traces(tmp_path / "traces.npz"), written, strict=True
    ):
        assert torch.equal(found.coordinates, expected.coordinates)
        assert found.log_posterior == expected.log_posterior


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
