# Which densities are reconstructed with a voxel prior, and what they are scored with.

VOLUME = (
    f"{RESULTS}/volumes/{{dataset}}/{{voxel_prior}}/{{volume_sampler}}/seed{{seed}}"
)
VOLUME_AXES = ("dataset", "voxel_prior", "volume_sampler", "seed")
HEADLINE_SAMPLER = "pigdm"  # called `unet` in tables; the others, `unet_<sampler>`

LEARNT_VOXEL_PRIORS = [
    name for name, prior in config["voxel_priors"].items() if "training" in prior
]


wildcard_constraints:
    voxel_prior=one_of(config["voxel_priors"]),
    volume_sampler=one_of(config["volume_samplers"]),


for study in config["volume_studies"]:
    for axis in VOLUME_AXES[:3]:
        check_names("volume_studies", axis, study[axis])

for name in {name for study in config["volume_studies"] for name in study["dataset"]}:
    if name in MEASURED:
        raise WorkflowError(
            f"config: volume_studies: dataset {name} is a user's, of unknown intensity, "
            "and a density has no scale of its own yet: name simulated ones"
        )

VOLUMES = [
    dict(zip(VOLUME_AXES, values))
    for study in config["volume_studies"]
    for values in product(*(study[axis] for axis in VOLUME_AXES))
]
if len({tuple(volume.values()) for volume in VOLUMES}) < len(VOLUMES):
    raise WorkflowError(
        "config: volume_studies: a reconstruction is asked for twice, and would count "
        "twice in means: leave it in one of them"
    )
if len({volume["voxel_prior"] for volume in VOLUMES}) > 1:
    raise WorkflowError(
        "config: volume_studies: several voxel priors, which tables and figures would all "
        "call the U-Net: give each a config, and a run, of its own"
    )
VOLUME_DATASETS = sorted({volume["dataset"] for volume in VOLUMES})
VOLUME_RESULTS = [
    *([f"{RESULTS}/voxel.csv"] if VOLUMES else []),
    *(f"{VOLUME.format(**volume)}/control.csv" for volume in VOLUMES),
    *(
        f"{RESULTS}/figures/volumes_{dataset}.{suffix}"
        for dataset in VOLUME_DATASETS
        for suffix in ("svg", "png")
    ),
]


def voxel_prior_file(wildcards, name):
    """Return a file of a voxel prior: of this run's, or of one that is at hand."""
    prior = config["voxel_priors"][wildcards.voxel_prior]
    folder = f"{RESULTS}/voxel_priors/{wildcards.voxel_prior}"
    return f"{prior.get('weights', folder)}/{name}"


def volumes_of(dataset):
    """Return the reconstructions of a dataset, in order."""
    return [volume for volume in VOLUMES if volume["dataset"] == dataset]


def volume_files(name):
    """Return the function from a dataset to a file of each of its reconstructions."""
    return lambda wildcards: [
        f"{VOLUME.format(**volume)}/{name}" for volume in volumes_of(wildcards.dataset)
    ]


def first_volume_file(name):
    """Return the function from a dataset to a file of its first reconstruction."""
    return lambda wildcards: volume_files(name)(wildcards)[0]


def volume_labels(wildcards):
    """Return what each reconstruction of a dataset is called, and its pairs of samples."""
    labels = []
    for volume in volumes_of(wildcards.dataset):
        sampler = volume["volume_sampler"]
        method = "unet" if sampler == HEADLINE_SAMPLER else f"unet_{sampler}"
        pairs = config["volume_samplers"][sampler]["samples"] // 2
        labels.append({"method": method, "freedom": pairs})
    return labels


def volume_case(wildcards):
    """Return the target of a dataset and how much its images say in all."""
    dataset, stack = config["datasets"][wildcards.dataset], stack_of(wildcards.dataset)
    return {
        "dataset": wildcards.dataset,
        "target": stack["target"],
        "total_snr": round(dataset["n_images"] * stack["snr"], 9),
    }


def relion_map(wildcards):
    """Return RELION's map of a dataset where the config asks for one."""
    if wildcards.dataset in config["relion_maps"]:
        return [f"{RESULTS}/images/{wildcards.dataset}/relion.mrc"]
    return []
