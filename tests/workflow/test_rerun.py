"""Only what changed runs again."""

import re

import pytest


def edit(checkout, path, before, after):
    file = checkout.folder / path
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_after_a_run_there_is_nothing_to_do(finished):
    assert "Nothing to be done" in finished.snakemake("--dry-run")


def test_comments_and_docstrings_rerun_nothing(edited):
    path = edited.folder / "workflow/equicryo/evaluation/metrics.py"
    text = path.read_text(encoding="utf-8")
    assert text.startswith('"""')
    changed = text.replace('"""', '"""Say it otherwise: ', 1) + "# a comment\n"
    path.write_text(changed, encoding="utf-8")
    assert edited.planned() == {}


def test_a_new_scoring_function_reruns_scores_and_what_follows(edited):
    path = edited.folder / "workflow/equicryo/evaluation/metrics.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n\nCHANGED = 1\n", encoding="utf-8")
    planned = edited.planned()
    assert planned["score_reconstruction"] == 5
    assert planned["aggregate_metrics"] == 1
    assert not planned.keys() & {
        "train_prior",
        "simulate_images",
        "compress_images",
        "reconstruct",
        "infer_scale",
    }


def test_an_edit_of_the_network_reruns_the_training(edited):
    path = edited.folder / "workflow/equicryo/models/frames.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n\nCHANGED = 1\n")
    planned = edited.planned()
    assert planned["train_prior"] == 1
    assert "simulate_images" not in planned


def test_a_new_alpha_computes_only_its_own_grid_points(edited):
    edit(edited, "config/test.yaml", "alpha: [0.1, 1]", "alpha: [0.1, 0.3, 1]")
    planned = edited.planned()
    assert planned["reconstruct"] == 2
    assert planned["score_reconstruction"] == 2
    assert "train_prior" not in planned
    assert "infer_scale" not in planned


def test_a_fresh_checkout_can_be_planned(checkout):
    assert checkout.planned()["reconstruct"] == 5


def test_slurm_profile_sends_the_training_to_the_gpu_partition(checkout):
    said = checkout.snakemake("--profile", "slurm", "--dry-run")
    (training,) = re.findall(r"rule train_prior:.*?\n\n", said, flags=re.DOTALL)
    assert "slurm_partition=gpu" in training
    assert "gres=gpu:1" in training
    (drawing,) = re.findall(r"rule draw_overlay:.*?\n\n", said, flags=re.DOTALL)
    assert "slurm_partition=cpu" in drawing


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("seed: 1\n", "seed: 1\nsede: 2\n", "sede"),
        ("snr: 1.0", "snr: -1.0", "snr"),
        ("prior: [conformer_1hel_misscaled]", "prior: [confromer]", "is not one of"),
        ("box_size: 72", "box_size: 40", None),
    ],
    ids=["unknown key", "negative SNR", "unknown prior", "no fault of the schema"],
)
def test_a_faulty_config_is_refused_before_any_job(checkout, before, after, message):
    edit(checkout, "config/test.yaml", before, after)
    said = checkout.snakemake("--dry-run", check=message is None)
    assert message is None or message in said
    assert ("Job stats" in said) == (message is None)
