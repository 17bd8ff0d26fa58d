# What the rules of scores and figures need to know of the config.


def score_labels(wildcards):
    """Return the columns of metrics.csv that the config decides."""
    dataset = config["datasets"][wildcards.dataset]
    return {
        "study": study_of(wildcards),
        "target": dataset["target"],
        "regime": config["priors"][wildcards.prior]["regime"],
        "dataset": wildcards.dataset,
        "density": dataset["density"],
        "ctf": dataset["ctf"],
        "pose_error_deg": 0.0,
        "shift_error": 0.0,
        "prior": wildcards.prior,
        "sampler": wildcards.sampler,
        "alpha": float(wildcards.alpha),
        "scale_source": "inferred" if wildcards.scale == "inferred" else "fixed",
        "n_images": dataset["n_images"],
        "snr": dataset["snr"],
        "seed": int(wildcards.seed),
    }


def first_study(name):
    """Return the first study of a name, or the first of all if there is none."""
    named = (study for study in config["studies"] if study["study"] == name)
    return next(named, config["studies"][0])


HEADLINE = {axis: first_study("headline")[axis][0] for axis in AXES}
DRAWN = {
    "dataset": HEADLINE["dataset"],
    "sampler": HEADLINE["sampler"],
    "grid_prior": first_study("grid")["prior"][0],
    "reference_prior": HEADLINE["prior"],
}
DRAWN_IMAGES = f"{RESULTS}/images/{DRAWN['dataset']}"
DRAWN_PRIORS = sorted({DRAWN["grid_prior"], DRAWN["reference_prior"]})
DRAWN_SAMPLES = [
    f"{folder}/samples.csv"
    for folder in RECONSTRUCTIONS
    for prior in DRAWN_PRIORS
    if folder.startswith(
        f"{RESULTS}/reconstructions/{DRAWN['dataset']}/{prior}/{DRAWN['sampler']}/"
    )
]
DRAWN_OVERLAY = RECONSTRUCTION.format(**HEADLINE)
FIGURES = [
    *expand(
        f"{RESULTS}/figures/{{name}}.{{suffix}}",
        name=("ctf", "collapse", "calibration", "overlay"),
        suffix=("svg", "png", "csv"),
    ),
    f"{RESULTS}/metrics.html",
]
