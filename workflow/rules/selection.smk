# What the rules of scores and figures need to know of the config.


def score_labels(wildcards):
    """Return the columns of metrics.csv that the config decides."""
    labels = measured_labels if is_measured(wildcards) else simulated_labels
    return {
        "study": study_of(wildcards),
        **labels(wildcards.dataset),
        "regime": config["priors"][wildcards.prior]["regime"],
        "dataset": wildcards.dataset,
        "prior": wildcards.prior,
        "sampler": wildcards.sampler,
        "alpha": float(wildcards.alpha),
        "scale_source": "inferred" if wildcards.scale == "inferred" else "fixed",
        "seed": int(wildcards.seed),
    }


def simulated_labels(dataset):
    """Return what the config says of simulated images."""
    stack = stack_of(dataset)
    return {
        "target": stack["target"],
        "density": stack["density"],
        "ctf": stack["ctf"],
        "pose_error_deg": float(stack["pose_error_deg"]),
        "shift_error": float(stack["shift_error"]),
        "n_images": config["datasets"][dataset]["n_images"],
        "snr": float(stack["snr"]),
    }


def measured_labels(dataset):
    """Return what is known of a user's images: no errors of poses, no noise level."""
    return {
        "target": Path(
            config["datasets"][dataset]["particles"]["sequence"]
        ).stem.lower(),
        "density": "measured",
        "ctf": "on",
        "n_images": len(open_particles(dataset)),
    }


def first_study(name):
    """Return the first study of a name, or the first of all if there is none.

    Figures compare with a truth, and draw simulated images that are kept: other studies
    are passed.
    """
    drawn = [
        study for study in config["studies"] if study["dataset"][0] in SMALL_DATASETS
    ]
    named = (study for study in drawn if study["study"] == name)
    return next(named, drawn[0] if drawn else config["studies"][0])


HEADLINE = {axis: first_study("headline")[axis][0] for axis in AXES}
DRAWN = {
    "dataset": HEADLINE["dataset"],
    "sampler": first_study("grid")["sampler"][0],
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


def list_image_studies():
    """Return the studies of different numbers of simulated images."""
    counts = {}
    for study in config["studies"]:
        simulated = [name for name in study["dataset"] if name in SIMULATED]
        images = {config["datasets"][name]["n_images"] for name in simulated}
        counts.setdefault(study["study"], set()).update(images)
    return [name for name, images in counts.items() if len(images) > 1]


IMAGE_STUDIES = list_image_studies()
IMAGE_RECONSTRUCTIONS = [
    folder for folder, study in STUDIES.items() if study in IMAGE_STUDIES
]
IMAGE_DATASETS = sorted(
    {
        name
        for study in config["studies"]
        if study["study"] in IMAGE_STUDIES
        for name in study["dataset"]
        if name not in WITHOUT_TRUTH
    }
)
FIGURES = [
    *expand(
        f"{RESULTS}/figures/{{name}}.{{suffix}}",
        name=(
            ("ctf", "collapse", "calibration", "overlay")
            if DRAWN["dataset"] in SMALL_DATASETS
            else ()
        ),
        suffix=("svg", "png", "csv"),
    ),
    *expand(
        f"{RESULTS}/figures/{{name}}.{{suffix}}",
        name=("images", "uncertainty") if IMAGE_STUDIES else (),
        suffix=("svg", "png", "csv"),
    ),
    *expand(f"{RESULTS}/figures/audit.{{suffix}}", suffix=("svg", "png", "csv")),
    f"{RESULTS}/metrics.html",
]


def list_assessed():
    """Return the first generalist prior of each set of weights that a study uses."""
    used = {name for study in config["studies"] for name in study["prior"]}
    adopted = [name for name in ADOPTED_PRIORS if name in used]
    first = {config["priors"][name]["weights"]: name for name in reversed(adopted)}
    return list(first.values())


HELD_OUT = dict(
    line.split(",")
    for line in Path("resources/chains/held_out.csv")
    .read_text("utf-8")
    .splitlines()[1:]
)


def held_out_of(splits):
    """Return the held-out chains of some splits."""
    return [name for name, split in HELD_OUT.items() if split in splits]
