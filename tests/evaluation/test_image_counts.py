import numpy as np
import pandas as pd
import pytest

from equicryo.evaluation.image_counts import (
    ERRORS,
    images_needed,
    pool_image_counts,
)


def metrics_rows() -> pd.DataFrame:
    """Three sets of views at two numbers of images, and a row of another study."""
    rows = [
        {
            "study": "images",
            "n_images": n_images,
            **dict.fromkeys(ERRORS, 5.0),
            "crlb_rmsd": 3.0 / n_images**0.5,
            "rmsd_posterior_mean_unaligned": error,
        }
        for n_images, errors in ((400, (0.1, 0.05, 0.2)), (100, (0.15, 0.3, 9.0)))
        for error in errors
    ]
    return pd.DataFrame([*rows, {**rows[0], "study": "headline"}])


def test_errors_are_pooled_at_each_number_of_images():
    pooled = pool_image_counts(metrics_rows(), "images")
    assert pooled["n_images"].tolist() == [100, 400]
    assert pooled["reconstructions"].tolist() == [3, 3]
    np.testing.assert_allclose(pooled["found"], [2 / 3, 1.0])
    name = "rmsd_posterior_mean_unaligned"
    found = pooled[[f"{name}_{part}" for part in ("median", "min", "max")]]
    np.testing.assert_allclose(found, [[0.3, 0.15, 9.0], [0.1, 0.05, 0.2]])


def test_the_worth_is_the_factor_in_images_that_brings_the_bound_down_to_the_error():
    rows = metrics_rows()
    pooled = pool_image_counts(rows, "images")
    for _, point in pooled.iterrows():
        bound_there = 3.0 / (point["n_images"] * point["worth_median"]) ** 0.5
        assert bound_there == pytest.approx(
            point["rmsd_posterior_mean_unaligned_median"]
        )


def test_where_no_chain_is_traced_it_counts_as_infinitely_far():
    rows = metrics_rows()
    few = rows["n_images"] == 100
    rows.loc[few, "beads_rmsd"] = [2.0, np.nan, np.nan]
    pooled = pool_image_counts(rows, "images")
    assert pooled["beads_rmsd_median"].tolist() == [np.inf, 5.0]
    # A study that traces nothing at all has no such error.
    untraced = pool_image_counts(rows.assign(beads_rmsd=np.nan), "images")
    assert untraced["beads_rmsd_median"].isna().all()


def test_images_needed_are_those_at_which_the_median_crosses_one_angstrom():
    points = pd.DataFrame({"n_images": [25, 100, 400], "trace_median": [4.0, 2.0, 0.5]})
    # On logarithmic axes half-way from 2 to ½ Å, and from 100 to 400 images.
    assert images_needed(points, "trace") == pytest.approx(200.0)
    points["trace_median"] = [np.inf, np.inf, 0.5]
    assert images_needed(points, "trace") == pytest.approx(400.0)
    points["trace_median"] = [0.9, 0.7, 0.5]
    assert np.isnan(images_needed(points, "trace"))
    points["trace_median"] = [3.0, 0.7, 1.5]
    assert np.isnan(images_needed(points, "trace"))


def test_a_study_without_rows_is_refused():
    with pytest.raises(ValueError, match="study views"):
        pool_image_counts(metrics_rows(), "views")
