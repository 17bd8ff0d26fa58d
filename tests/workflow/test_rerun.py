"""Only what changed runs again."""

import base64
import re

import mrcfile
import pytest
import yaml

RESULTS = "results/test"


def edit(checkout, path, before, after):
    file = checkout.folder / path
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")


def turned(value):
    """Return the same config with the keys of its mappings from last to first."""
    if isinstance(value, dict):
        return {name: turned(item) for name, item in reversed(value.items())}
    return [turned(item) for item in value] if isinstance(value, list) else value


def test_after_a_run_there_is_nothing_to_do(finished):
    assert "Nothing to be done" in finished.snakemake("--dry-run")


def test_comments_and_docstrings_rerun_nothing(edited):
    path = edited.folder / "workflow/equicryo/evaluation/metrics.py"
    text = path.read_text(encoding="utf-8")
    assert text.startswith('"""')
    changed = text.replace('"""', '"""Say it otherwise: ', 1) + "# a comment\n"
    path.write_text(changed, encoding="utf-8")
    assert edited.planned() == {}


def test_keys_in_another_order_rerun_nothing(edited):
    path = edited.folder / "config/test.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(turned(config), sort_keys=False), encoding="utf-8")
    assert edited.planned() == {}


def test_a_new_scoring_function_reruns_scores_and_what_follows(edited):
    path = edited.folder / "workflow/equicryo/evaluation/metrics.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n\nCHANGED = 1\n", encoding="utf-8")
    planned = edited.planned()
    assert planned["score_reconstruction"] == 6
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
    assert planned["train_prior"] == 2
    assert "simulate_images" not in planned


def test_a_new_alpha_computes_only_its_own_grid_points(edited):
    edit(edited, "config/test.yaml", "alpha: [0.1, 1]", "alpha: [0.1, 0.3, 1]")
    planned = edited.planned()
    assert planned["reconstruct"] == 2
    assert planned["score_reconstruction"] == 2
    assert "train_prior" not in planned
    assert "infer_scale" not in planned


def test_a_part_of_a_stack_makes_nothing_of_the_rest_again(edited):
    block = "  1hel_40:\n    stack: 1hel\n    n_images: 40\n"
    part = block.replace("40", "30") + "    residue_model: single\n"
    edit(
        edited,
        "config/test.yaml",
        block,
        f"{part}    residue_width: 1.8\n{block}",
    )
    edit(
        edited, "config/test.yaml", "dataset: [1hel_40]", "dataset: [1hel_30, 1hel_40]"
    )
    planned = edited.planned()
    # The chunks are gone and made again; what follows from the old sums is not.
    assert planned["simulate_images"] == 2
    assert planned["sum_normal_equations"] == planned["bound_error"] == 1
    assert planned["reconstruct"] == 4
    assert not planned.keys() & {"calibrate_noise", "train_prior"}
    edited.snakemake(f"{RESULTS}/images/1hel_30/particles.star", "--cores", "1")
    few, many = (
        mrcfile.read(edited.folder / RESULTS / f"images/1hel_{n}/particles.mrcs")
        for n in (30, 40)
    )
    assert len(few) == 30
    assert (few == many[:30]).all()


def test_a_run_that_an_interruption_cut_short_is_not_called_whole(edited):
    """A job was killed just after its output was written: its mark is still there."""
    edited.snakemake(f"{RESULTS}/stacks/1hel/chunks/1.star", "--notemp")
    output = f"{RESULTS}/stacks/1hel/normal/20_40.npz"
    mark = base64.b64encode(output.encode()).decode()
    (edited.folder / ".snakemake/incomplete" / mark).write_text(
        '{"external_jobid": null}'
    )
    metrics = edited.folder / RESULTS / "metrics.csv"
    metrics.unlink()
    said = edited.snakemake(check=False)
    # A Snakemake that plans all of it at once needs no `check_run` any more.
    assert f"still missing, the first is {RESULTS}/metrics.csv" in said
    assert "Traceback" not in said
    edited.snakemake()
    assert metrics.exists()
    assert "Nothing to be done" in edited.snakemake("--dry-run")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("snr: 1.0", "snr: 2.0"),
        ("seed: 1\n", "seed: 2\n"),
        ("mean_rmsd: 1.0", "mean_rmsd: 1.5"),
    ],
    ids=["stack", "seed", "truth"],
)
def test_other_images_are_compressed_anew_though_chunks_are_gone(edited, before, after):
    edit(edited, "config/test.yaml", before, after)
    planned = edited.planned()
    assert planned["simulate_images"] == planned["compress_images"] == 2
    assert planned["estimate_noise"] == planned["gather_images"] == 1
    assert planned["sum_normal_equations"] == 1
    assert planned["reconstruct"] == 5


@pytest.mark.parametrize(
    "script", ["simulate_images", "estimate_noise", "compress_images"]
)
def test_an_edit_of_what_was_removed_reruns_what_follows(edited, script):
    path = edited.folder / f"workflow/scripts/{script}.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n\nCHANGED = 1\n")
    planned = edited.planned()
    assert planned["simulate_images"] == planned["compress_images"] == 2
    assert planned["sum_normal_equations"] == 1
    assert planned["reconstruct"] == 5
    assert "train_prior" not in planned


def test_a_complete_config_stands_alone(checkout):
    planned = checkout.planned()
    assert planned["choose_truth"] == 1  # 1hel_40, and not the default's 1hel_200


def test_a_config_of_few_keys_changes_the_default(checkout):
    (checkout.folder / "config/test.yaml").write_text("seed: 3\n")
    said = checkout.snakemake("--dry-run")
    assert "results/images/1hel_200/truth.cif" in said


def test_published_run_can_be_planned(checkout):
    paper = checkout.folder / "config/paper.yaml"
    paper.replace(checkout.folder / "config/test.yaml")
    planned = checkout.planned()
    assert planned["reconstruct_map"] == 1
    # Six stacks of 10,000 images, five of one chunk, 27 of 1,000 images.
    assert planned["simulate_images"] == 6 * 20 + 5 + 27 * 2
    # Whole chunks are shared: 20 of each large stack and 2 of the next, and parts.
    parts = 6 + 3 + 4 + 2 * 3 + 8 * 3 + 10 * 7 + 2 + 8 * 2 + 2 + 3
    assert planned["compress_images"] == 6 * 20 + 27 * 2 + parts


def test_a_prior_of_another_chain_is_refused(checkout):
    paper = checkout.folder / "config/paper.yaml"
    paper.replace(checkout.folder / "config/test.yaml")
    edit(checkout, "config/test.yaml", "[generalist_2vkn]", "[generalist_adk]")
    said = checkout.snakemake("--dry-run", check=False)
    assert "generalist_adk speaks of adk, and the images of 2vkn_12 show 2vkn" in said


def test_a_fresh_checkout_can_be_planned(checkout):
    assert checkout.planned()["reconstruct"] == 5


def test_slurm_profile_sends_the_training_to_the_gpu_partition(checkout):
    said = checkout.snakemake("--profile", "slurm", "--dry-run")
    trainings = re.findall(
        r"rule train_prior:.*?resources:[^\n]*", said, flags=re.DOTALL
    )
    assert len(trainings) == 2
    for training in trainings:
        assert "slurm_partition=gpu" in training
        assert "gres=gpu:1" in training
    (drawing,) = re.findall(
        r"rule draw_overlay:.*?resources:[^\n]*", said, flags=re.DOTALL
    )
    assert "slurm_partition=cpu" in drawing


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("seed: 1\n", "seed: 1\nsede: 2\n", "sede"),
        ("snr: 1.0", "snr: -1.0", "snr"),
        ("prior: [conformer_1hel_misscaled]", "prior: [confromer]", "is not one of"),
        ("    stack: 1hel\n", "    stack: 1hell\n", "is not one of"),
        ("kind: white", "kind: pink", "pink"),
        (
            "[generalist_1hel]\n    sampler: [mmps]\n    alpha: [1]\n    scale: [1]",
            "[generalist_1hel]\n    sampler: [mmps]\n    alpha: [1]\n"
            "    scale: [inferred]",
            "give it the scale 1",
        ),
        ("prior: [generalist_1hel]", "prior: [generalist]", "speaks of no chain"),
        ("count: 8\n  churn", "count: 2\n  churn", "draw as many"),
        (
            "volume_samplers: {}",
            "volume_samplers: {dps: {samples: 5, schedule: "
            "{steps: 2, largest_noise: 1.0, smallest_noise: 0.1}}}",
            "volume_samplers.dps.samples",
        ),
        ("box_size: 72", "box_size: 40", None),
    ],
    ids=[
        "unknown key",
        "negative SNR",
        "unknown prior",
        "unknown stack",
        "unknown noise",
        "scale of a generalist",
        "prior without a chain",
        "fewer draws than samples",
        "sample without its opposite",
        "no fault of the schema",
    ],
)
def test_a_faulty_config_is_refused_before_any_job(checkout, before, after, message):
    edit(checkout, "config/test.yaml", before, after)
    said = checkout.snakemake("--dry-run", check=message is None)
    assert message is None or message in said
    assert ("Job stats" in said) == (message is None)
