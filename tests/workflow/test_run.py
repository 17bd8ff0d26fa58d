"""The whole workflow, tiny: what it leaves, and that its numbers are true."""

import csv
import hashlib
import json
from pathlib import Path

import gemmi
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from equicryo.evaluation.scores import METRICS_COLUMNS
from equicryo.io.normal import read_normal
from equicryo.io.particles import read_batches, read_particles
from equicryo.physics.compression import compress_images

from .slurm_cluster import wait_for

RESULTS = "results/test"


def read_metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / RESULTS / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read_positions(path: Path) -> np.ndarray:
    """Read Cα positions with gemmi: model, residue, axis."""
    structure = gemmi.read_structure(str(path))
    return np.array(
        [
            [list(residue["CA"][0].pos) for residue in model[0].get_polymer()]
            for model in structure
        ]
    )


def aligned_rmsd(mobile: np.ndarray, target: np.ndarray) -> float:
    """Align with SciPy, which shares nothing with the package."""
    a, b = mobile - mobile.mean(0), target - target.mean(0)
    _, root_sum = Rotation.align_vectors(b, a)
    return root_sum / np.sqrt(len(a))


def test_every_contract_file_is_there(finished):
    folder = finished.folder / RESULTS
    names = ["metrics.csv", "report.html", "provenance.json"]
    names += [
        f"figures/{name}.{suffix}"
        for name in (
            *("audit", "ctf", "collapse", "calibration", "overlay"),
            "prior_quality_generalist_1hel",
        )
        for suffix in ("svg", "png", "csv")
    ]
    images = ("particles.star", "particles.mrcs", "truth.cif", "normal.npz")
    names += [f"images/1hel_40/{name}" for name in images]
    names += ["priors/conformer_1hel/weights.safetensors", "structures/1hel/voxels.mrc"]
    names += ["priors/generalist_1hel/quality.csv"]
    assert [name for name in names if not (folder / name).stat().st_size] == []


def test_images_in_chunks_leave_no_trace(finished):
    stack = finished.folder / RESULTS / "stacks/1hel"
    files = sorted(path.name for path in stack.rglob("*") if path.is_file())
    assert files == ["0_20.npz", "20_40.npz", "noise.npz", "true_noise.npz"]


def test_normal_equations_are_those_of_the_stack_for_relion(finished):
    folder = finished.folder / RESULTS
    normal = read_normal(folder / "images/1hel_40/normal.npz")
    particles = read_particles(
        folder / "images/1hel_40/particles.star", finished.folder
    )
    again = compress_images(
        read_batches(particles, 0, 40), normal.noise_power, normal.support_size
    )
    assert again.input_sha256 == normal.input_sha256
    # The same sums in another order.
    error = (again.b - normal.b).norm() / normal.b.norm()
    assert error < 1e-9


def test_metrics_have_the_columns_of_the_contract_and_a_row_a_reconstruction(finished):
    rows = read_metrics(finished.folder)
    assert tuple(rows[0]) == METRICS_COLUMNS
    studies = [row["study"] for row in rows]
    assert studies == ["grid"] * 4 + ["headline", "unseen_fold"]


def test_an_outside_reader_finds_the_same_rmsd(finished):
    for row in read_metrics(finished.folder):
        samples = read_positions(finished.folder / row["reconstruction"])
        (truth,) = read_positions(finished.folder / row["truth"])
        aligned = [aligned_rmsd(sample, truth) for sample in samples]
        unaligned = np.sqrt(np.square(samples - truth).sum(-1).mean(-1))
        # Files carry 4 decimals; the contract asks for 0.001 Å.
        assert np.mean(aligned) == pytest.approx(float(row["rmsd_mean"]), abs=1e-3)
        assert min(aligned) == pytest.approx(float(row["rmsd_min"]), abs=1e-3)
        assert np.mean(unaligned) == pytest.approx(
            float(row["rmsd_unaligned_mean"]), abs=1e-3
        )


def test_the_right_prior_beats_itself_without_images_and_chance(finished):
    (row,) = (
        row for row in read_metrics(finished.folder) if row["study"] == "headline"
    )
    assert float(row["rmsd_mean"]) < 0.6 * float(row["prior_rmsd"])
    assert float(row["rmsd_mean"]) < 0.1 * float(row["chance_rmsd"])


def test_moment_matching_starts_from_what_dps_found(finished):
    (row,) = (
        row for row in read_metrics(finished.folder) if row["study"] == "headline"
    )
    assert row["sampler"] == "mmps"
    path = Path(row["reconstruction"])
    samples = read_positions(finished.folder / path)
    found = read_positions(
        finished.folder / path.parents[2] / "dps" / path.parent.name / path.name
    )
    gaps = np.sqrt(np.square(samples - found).sum(-1).mean(-1))
    # The noise that the sampler starts with is 1 Å: 1.7 Å in three dimensions.
    assert 0.0 < gaps.min() <= gaps.max() < 1.7


def test_a_prior_of_any_fold_starts_from_traces(finished):
    *others, row = read_metrics(finished.folder)
    assert {other["trace_rmsd"] for other in others} == {""}
    samples = read_positions(finished.folder / row["reconstruction"])
    traces = read_positions(finished.folder / RESULTS / "traces/1hel_40/traces.cif")
    gaps = np.sqrt(np.square(samples[:, None] - traces).sum(-1).mean(-1))
    # The noise that the sampler starts with is 1 Å: 1.7 Å in three dimensions.
    assert gaps.min(1).max() < 1.7
    (truth,) = read_positions(finished.folder / row["truth"])
    best = np.sqrt(np.square(traces[0] - truth).sum(-1).mean())
    assert float(row["trace_rmsd"]) == pytest.approx(best, abs=1e-3)


def test_paths_in_files_are_relative_to_the_root(finished):
    for row in read_metrics(finished.folder):
        assert not Path(row["reconstruction"]).is_absolute()
    star = (finished.folder / RESULTS / "images/1hel_40/particles.star").read_text()
    assert f"@{RESULTS}/images/1hel_40/particles.mrcs" in star


def test_report_is_one_self_contained_file(finished):
    page = (finished.folder / RESULTS / "report.html").read_text(encoding="utf-8")
    assert "calibration" in page
    for link in ('<script src="http', '<link href="http', "src='http"):
        assert link not in page


def test_provenance_can_replay_the_run(finished):
    text = (finished.folder / RESULTS / "provenance.json").read_text()
    provenance = json.loads(text)
    assert provenance["config"]["seed"] == 1
    assert provenance["versions"]["torch"].startswith("2.")
    structure = finished.folder / "resources/structures/1hel.pdb"
    digest = hashlib.sha256(structure.read_bytes()).hexdigest()
    inputs = provenance["inputs"]
    assert inputs["resources/structures/1hel.pdb"] == digest
    assert set(inputs) == {
        "resources/structures/1hel.pdb",
        *(
            f"resources/{folder}/{name}"
            for folder in ("priors/generalist", "proposer")
            for name in ("weights.safetensors", "card.json")
        ),
    }
    assert "score_reconstruction" in provenance["code"]


@pytest.mark.slow
def test_killed_run_goes_on_and_repeats_every_hash(finished, checkout):
    """SIGKILL halfway, then again: only jobs under way are redone, results equal."""
    headline = next(
        row for row in read_metrics(finished.folder) if row["study"] == "headline"
    )
    goal, done = headline["reconstruction"], "Finished jobid"
    total = sum(checkout.planned(goal).values())
    with checkout.running(goal) as run:
        wait_for(lambda: run.output.read_text().count(done) >= 6, "six jobs")
        run.kill()
    finished_before = run.output.read_text().count(done)
    assert 6 <= finished_before < total
    checkout.snakemake("--unlock")
    again = checkout.snakemake(goal)
    # At most the two jobs under way are repeated, beside those not yet begun.
    assert again.count(done) <= total - finished_before + 2
    hashes = checkout.hashes()
    # Normal equations, the prior's weights and two ensembles, what DPS found and drawn.
    assert len(hashes) == 4
    expected = finished.hashes()
    assert len(expected) == 1 + 7 + 1 + 4
    assert hashes.items() <= expected.items()
