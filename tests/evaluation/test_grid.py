import pandas as pd
import pytest

from equicryo.evaluation.grid import Drawn, pool_grid, select_rows

ROW = {
    "dataset": "images",
    "sampler": "dps",
    "prior": "wrong",
    "scale_source": "fixed",
    "scale": 1.0,
    "alpha": 1.0,
    "scale_true": 1.59,
    "rg_truth": 13.8,
    "chi2": 1.0,
    "crlb_rmsd": 0.3,
    "prior_rmsd": 2.0,
    "chance_rmsd": 18.0,
}


def metrics_of(*changes: dict) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {**ROW, **change, "reconstruction": f"{index}/ensemble.cif"}
            for index, change in enumerate(changes)
        ]
    )


def samples_of(*values: list[float]) -> dict[str, pd.DataFrame]:
    return {
        f"{index}/ensemble.cif": pd.DataFrame({"rmsd": value, "rg": value})
        for index, value in enumerate(values)
    }


def test_samples_of_all_seeds_are_pooled() -> None:
    metrics = metrics_of({"chi2": 1.0}, {"chi2": 1.2})
    (pooled,) = pool_grid(metrics, samples_of([1.0, 2.0], [3.0, 6.0])).to_dict(
        "records"
    )
    assert pooled["n_samples"] == 4
    assert pooled["rmsd_mean"] == pooled["rg_mean"] == 3.0
    assert pooled["rmsd_sd"] == pytest.approx((14 / 3) ** 0.5)  # 4 + 1 + 0 + 9 over 3
    assert pooled["chi2"] == pytest.approx(1.1)


def test_fixed_scales_stay_apart_and_inferred_ones_pool() -> None:
    metrics = metrics_of(
        {"scale": 1.0},
        {"scale": 1.59},
        {"scale": 1.58, "scale_source": "inferred"},
        {"scale": 1.60, "scale_source": "inferred"},
        {"scale": 1.0, "alpha": 0.1},
    )
    pooled = pool_grid(metrics, samples_of([1.0], [2.0], [3.0], [4.0], [5.0]))
    found = list(
        zip(
            pooled["scale_source"],
            pooled["scale"].round(6),
            pooled["alpha"],
            pooled["rmsd_mean"],
            strict=True,
        )
    )
    assert found == [
        ("fixed", 1.0, 0.1, 5.0),
        ("fixed", 1.0, 1.0, 1.0),
        ("fixed", 1.59, 1.0, 2.0),
        ("inferred", 1.59, 1.0, 3.5),
    ]


def test_a_reconstruction_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no samples of 1/ensemble\.cif"):
        pool_grid(metrics_of({}, {"seed": 2}), samples_of([1.0]))


def test_rows_are_selected_by_dataset_sampler_and_prior() -> None:
    metrics = metrics_of(
        {}, {"dataset": "others"}, {"sampler": "smc"}, {"prior": "right"}
    )
    drawn = Drawn(
        dataset="images",
        sampler="dps",
        grid_prior="wrong",
        reference_prior="right",
    )
    assert list(select_rows(metrics, "wrong", drawn).index) == [0]
    assert list(select_rows(metrics, "right", drawn).index) == [3]
