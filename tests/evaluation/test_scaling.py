from equicryo.evaluation.scaling import (
    COMPUTE_COLUMNS,
    SCALING_COLUMNS,
    compute_rows,
    scaling_rows,
)

CARD = {
    "training_ids": ["1ABC_A", "2ABC_A", "3ABC_A"],
    "architecture": {"width": 64},
    "config": {"training": {"steps": 200, "batch_residues": 1000}},
}
KNOWN = {"prior": "small", "width": 64, "chains": 3}


def test_final_errors_stand_beside_what_was_learnt_from():
    row = {"noise_level": "2.0", "rmsd": "1.5", "rmsd_error": "0.1", "n": "10"}
    denoising = [{"method": name, **row} for name in ("sequence", "identity")]
    (made,) = scaling_rows("small", CARD, denoising)
    assert tuple(made) == SCALING_COLUMNS
    expected = {"noise_level": 2.0, "rmsd": 1.5, "rmsd_error": 0.1, "n": 10}
    assert made == {**KNOWN, "residues_seen": 200_000, **expected}


def test_errors_on_the_way_stand_beside_the_residues_seen_by_then():
    curve = [
        {"step": step, "loss": "1", "rmsd_0.3": "0.4", "rmsd_2": "1.9"}
        for step in ("50", "200")
    ]
    rows = compute_rows("small", CARD, curve)
    assert all(tuple(row) == COMPUTE_COLUMNS for row in rows)
    seen = [(row["residues_seen"], row["noise_level"], row["rmsd"]) for row in rows]
    assert seen == [
        *((50_000, 0.3, 0.4), (50_000, 2.0, 1.9)),
        *((200_000, 0.3, 0.4), (200_000, 2.0, 1.9)),
    ]
