import json
import subprocess
import sys
from itertools import product
from math import ceil
from tempfile import NamedTemporaryFile

from snakemake.utils import validate

from equicryo.fingerprint import fingerprint as hash_code

validate(config, "../schemas/config.schema.yaml", set_default=False)

RESULTS = f"results/{config['run']}" if config["run"] else "results"
RECONSTRUCTION = (
    f"{RESULTS}/reconstructions/{{dataset}}/{{prior}}/{{sampler}}/"
    "alpha{alpha}_scale{scale}_seed{seed}"
)
AXES = ("dataset", "prior", "sampler", "alpha", "scale", "seed")

TRAINED_PRIORS = [
    name for name, prior in config["priors"].items() if "network" in prior
]
PLANTED_PRIORS = [
    name for name, prior in config["priors"].items() if "planted" in prior
]


wildcard_constraints:
    target="|".join(config["structures"]),
    dataset="|".join(config["datasets"]),
    prior="|".join(config["priors"]),
    sampler="|".join(config["samplers"]),
    chunk=r"\d+",
    alpha=r"[\d.e-]+",
    scale=r"[\d.e-]+|inferred",
    seed=r"\d+",


def fingerprint(script):
    """Hash a script's code and all that it imports from the package."""
    return hash_code(f"{workflow.basedir}/scripts/{script}.py")


def list_reconstructions():
    """Return the study of each reconstruction that the config asks for, by its folder."""
    studies = {}
    for study in config["studies"]:
        check_names(study)
        for values in product(*(study[axis] for axis in AXES)):
            folder = RECONSTRUCTION.format(**dict(zip(AXES, values)))
            if folder in studies:
                raise WorkflowError(
                    f"config: studies: {folder} is asked for by {studies[folder]} and "
                    f"again by {study['study']}: leave it in one of them"
                )
            studies[folder] = study["study"]
    return studies


def check_names(study):
    """Refuse a study of something that the config does not define."""
    for axis in ("dataset", "prior", "sampler"):
        known = config[f"{axis}s"]
        for name in study[axis]:
            if name not in known:
                raise WorkflowError(
                    f"config: studies: {study['study']}: {axis} {name} is not one of "
                    f"{', '.join(known)}: correct it, or define it under {axis}s"
                )


STUDIES = list_reconstructions()
RECONSTRUCTIONS = list(STUDIES)


def study_of(wildcards):
    """Return the study that a reconstruction belongs to."""
    return STUDIES[RECONSTRUCTION.format(**wildcards)]


def target_file(dataset, name):
    """Return a file of the structure behind a dataset."""
    return f"{RESULTS}/structures/{config['datasets'][dataset]['target']}/{name}"


def prior_file(prior, name):
    """Return a file of the structure that a conformer prior was trained on."""
    return f"{RESULTS}/structures/{config['priors'][prior]['target']}/{name}"


def residue_width(wildcards):
    """Return the width of a residue's Gaussian in a dataset's reconstructions."""
    return config["datasets"][wildcards.dataset]["residue_width"]


def n_chunks(dataset):
    """Return how many jobs compress a dataset's images."""
    settings = config["datasets"][dataset]
    return ceil(settings["n_images"] / settings["chunk_size"])


def planted_file(wildcards, name):
    """Return a file of the prior in whose card a wrong length unit is planted."""
    planted = config["priors"][wildcards.prior]["planted"]
    return f"{RESULTS}/priors/{planted['prior']}/{name}"


def inferred_scale(wildcards):
    """Return the file of the inferred scale where the reconstruction used it."""
    if wildcards.scale == "inferred":
        return f"{RESULTS}/scales/{wildcards.dataset}/{wildcards.prior}.json"
    return []


def structure_file(wildcards):
    """Return the target's own file, or nothing where it is to be downloaded."""
    settings = config["structures"][wildcards.target]
    return [] if settings["source"] == "rcsb" else settings["file"]


def report_run():
    """Write the self-contained report of a run that has just ended."""
    command = ["snakemake", "--nolock", "--quiet", "all", "--report"]
    with NamedTemporaryFile("w", suffix=".json") as same:
        json.dump(config, same)
        same.flush()
        command += [f"{RESULTS}/report.html", "--configfile", same.name]
        subprocess.run([sys.executable, "-m", *command], check=True)
