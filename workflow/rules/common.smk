import json
import os
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import NamedTemporaryFile

from snakemake.exceptions import WorkflowError

from equicryo.errors import InputError
from equicryo.fingerprint import fingerprint as hash_code
from equicryo.io.config import check_config, order_keys

try:
    check_config(config, SCHEMA)
except InputError as error:
    raise WorkflowError(str(error))
config = order_keys(config)

RESULTS = f"results/{config['run']}" if config["run"] else "results"
COSTS = "resources/costs.csv"
SCRIPTS = sorted(path.stem for path in Path(workflow.basedir, "scripts").glob("*.py"))
RECONSTRUCTION = (
    f"{RESULTS}/reconstructions/{{dataset}}/{{prior}}/{{sampler}}/"
    "alpha{alpha}_scale{scale}_seed{seed}"
)
AXES = ("dataset", "prior", "sampler", "alpha", "scale", "seed")

TRAINED_PRIORS = [
    name for name, prior in config["priors"].items() if "training" in prior
]
ADOPTED_PRIORS = [
    name for name, prior in config["priors"].items() if "weights" in prior
]
PLANTED_PRIORS = [
    name for name, prior in config["priors"].items() if "planted" in prior
]

TRACED_PRIORS = [
    name
    for name, prior in config["priors"].items()
    if prior["regime"] == "generalist" and "target" in prior
]
PLACED_PRIORS = [
    name for name, prior in config["priors"].items() if prior["regime"] == "conformer"
]

ALL_ATOM = [
    name
    for name, structure in config["structures"].items()
    if not structure["file"].endswith(".npz")
]

MEASURED = [
    name for name, dataset in config["datasets"].items() if "particles" in dataset
]
SIMULATED = [name for name in config["datasets"] if name not in MEASURED]


def shows_side_chains(dataset):
    """Tell whether a dataset's residues have density beyond their Cα's blob."""
    return config["datasets"][dataset]["residue_model"] == "full"


BEADED = [name for name in config["datasets"] if not shows_side_chains(name)]


def one_of(names):
    """Return the wildcard constraint that only some names fulfil."""
    return "|".join(names) or "none"


wildcard_constraints:
    target="|".join(config["structures"]),
    stack="|".join(config["stacks"]),
    dataset="|".join(config["datasets"]),
    prior="|".join(config["priors"]),
    sampler="|".join(config["samplers"]),
    chunk=r"\d+",
    first=r"\d+",
    last=r"\d+",
    alpha=r"[\d.e-]+",
    scale=r"[\d.e-]+|inferred",
    seed=r"\d+",


@cache
def script_fingerprint(script, without):
    """Hash a script's code and all that it imports from the package, but some layers."""
    return hash_code(f"{workflow.basedir}/scripts/{script}.py", without)


def fingerprint(*scripts, without=()):
    """Return the function that hashes scripts, where a job asks for it.

    On a cluster each job is a Snakemake run of its own, which needs few of all hashes.
    """
    return lambda wildcards: " ".join(
        script_fingerprint(script, without) for script in scripts
    )


def memory(megabytes):
    """Return the memory that a job asks for: as much again at each further try."""
    return lambda wildcards, attempt: megabytes * attempt


def minutes(count):
    """Return how long a job may take: as long again at each further try."""
    return lambda wildcards, attempt: count * attempt


def list_reconstructions():
    """Return the study of each reconstruction that the config asks for, by its folder."""
    studies = {}
    for study in config["studies"]:
        for axis in ("dataset", "prior", "sampler"):
            check_names(f"studies: {study['study']}", axis, study[axis])
        check_scales(study)
        check_targets(study)
        for values in product(*(study[axis] for axis in AXES)):
            folder = RECONSTRUCTION.format(**dict(zip(AXES, values)))
            if folder in studies:
                raise WorkflowError(
                    f"config: studies: {folder} is asked for by {studies[folder]} and "
                    f"again by {study['study']}: leave it in one of them"
                )
            studies[folder] = study["study"]
    return studies


def check_scales(study):
    """Refuse to infer the scale of a prior whose draws are no copies of the target."""
    traced = [name for name in study["prior"] if name in TRACED_PRIORS]
    if traced and "inferred" in study["scale"]:
        raise WorkflowError(
            f"config: studies: {study['study']}: scale inferred needs a prior that "
            f"knows the fold, and {traced[0]} is a generalist: give it the scale 1"
        )


def check_targets(study):
    """Refuse a prior that does not speak of the chain that is in the images."""
    for prior, dataset in product(study["prior"], study["dataset"]):
        target = config["priors"][prior].get("target")
        if target is None:
            raise WorkflowError(
                f"config: studies: {study['study']}: prior {prior} speaks of no chain: "
                "adopt it for one, as generalist_1hel of config/config.yaml is"
            )
        if dataset in SIMULATED and target != stack_of(dataset)["target"]:
            raise WorkflowError(
                f"config: studies: {study['study']}: prior {prior} speaks of {target}, "
                f"and the images of {dataset} show {stack_of(dataset)['target']}: take "
                "another prior, or a study for each target"
            )


def stack_of(dataset):
    """Return the settings of the stack that a data set is taken from."""
    return config["stacks"][config["datasets"][dataset]["stack"]]


def check_names(place, kind, names):
    """Refuse names of something that the config does not define."""
    known = config[f"{kind}s"]
    for name in names:
        if name not in known:
            raise WorkflowError(
                f"config: {place}: {kind} {name} is not one of {', '.join(known)}: "
                f"correct it, or define it under {kind}s"
            )


for name in SIMULATED:
    check_names(f"datasets: {name}", "stack", [config["datasets"][name]["stack"]])
for name, stack in config["stacks"].items():
    check_names(f"stacks: {name}", "structure", [stack["target"]])
check_names("relion_maps", "dataset", config["relion_maps"])
check_names("scaling_priors", "prior", config["scaling_priors"])

MOST_SAMPLES = max(sampler["samples"] for sampler in config["samplers"].values())
if config["draws"]["count"] < MOST_SAMPLES:
    raise WorkflowError(
        f"config: draws.count is {config['draws']['count']}, but where images show nothing "
        f"draws take the place of samples, of which samplers has {MOST_SAMPLES}: draw as "
        "many"
    )

STUDIES = list_reconstructions()
RECONSTRUCTIONS = list(STUDIES)


def study_of(wildcards):
    """Return the study that a reconstruction belongs to."""
    return STUDIES[RECONSTRUCTION.format(**wildcards)]


def given_files():
    """Return the files that the run starts from, and does not make itself."""
    tables = [config["datasets"][name]["particles"] for name in MEASURED]
    folders = [
        *(config["tracing"][name] for name in ("proposer", "prior")),
        *(prior.get("weights") for prior in config["priors"].values()),
        *(prior.get("initial") for prior in config["priors"].values()),
        *(prior.get("weights") for prior in config["voxel_priors"].values()),
    ]
    names = ("weights.safetensors", "card.json")
    files = [
        *(
            structure["file"]
            for structure in config["structures"].values()
            if structure["source"] != "rcsb"
        ),
        *(
            table[key]
            for table in tables
            for key in ("star", "sequence", "truth")
            if table[key]
        ),
        *(f"{folder}/{name}" for folder in folders if folder for name in names),
    ]
    return sorted({file for file in files if not file.startswith(f"{RESULTS}/")})


def target_file(dataset, name):
    """Return a file of the structure behind a dataset, or of its sequence."""
    if dataset in MEASURED:
        return f"{RESULTS}/images/{dataset}/{name}"
    return f"{RESULTS}/structures/{stack_of(dataset)['target']}/{name}"


def prior_file(prior, name):
    """Return a file of the structure whose chain a prior speaks of."""
    return f"{RESULTS}/structures/{config['priors'][prior]['target']}/{name}"


def training_files(wildcards):
    """Return what a prior is trained on, and the prior whose training it goes on with."""
    prior = config["priors"][wildcards.prior]
    if prior["regime"] == "conformer":
        names = {"points": "points.npz", "ensemble": "ensemble.npz"}
        files = {key: prior_file(wildcards.prior, name) for key, name in names.items()}
    else:
        names = ("splits.csv", "targets.npz", "held_out.csv")
        files = {Path(name).stem: f"resources/chains/{name}" for name in names}
        files["chains"] = prior["chains"]
    if "initial" in prior:
        files["weights"] = f"{prior['initial']}/weights.safetensors"
        files["card"] = f"{prior['initial']}/card.json"
    return files


def training_minutes(wildcards):
    """Return how long a training may take: a generalist prior learns for hours."""
    return 60 if config["priors"][wildcards.prior]["regime"] == "conformer" else 1440


def adopted_file(wildcards, name):
    """Return a file of the trained prior that shall speak of another chain."""
    return f"{config['priors'][wildcards.prior]['weights']}/{name}"


def density_settings(dataset):
    """Return which model of a chain's density a dataset's reconstructions use."""
    settings = config["datasets"][dataset]
    return {key: settings[key] for key in ("residue_model", "residue_width")}


def density_constants(dataset):
    """Return the file of the residue model's constants where it is used."""
    if shows_side_chains(dataset):
        return "resources/residue_model/constants.json"
    return []


def is_measured(wildcards):
    """Tell whether a dataset's images are a user's, of unknown intensity."""
    return wildcards.dataset in MEASURED


def chain_names(target):
    """Return the names by which a training set would know the chain of a structure."""
    structure = config["structures"][target]
    if structure["file"].endswith(".npz"):
        return [structure["chain"]]
    entries = (target, Path(structure["file"]).stem)
    return sorted({f"{entry.upper()}_{structure['chain']}" for entry in entries})


def planted_file(wildcards, name):
    """Return a file of the prior in whose card a wrong length unit is planted."""
    planted = config["priors"][wildcards.prior]["planted"]
    return f"{RESULTS}/priors/{planted['prior']}/{name}"


def beads_file(wildcards):
    """Return the traces through beads where every residue is one blob."""
    beaded = wildcards.dataset in BEADED
    return f"{RESULTS}/traces/{wildcards.dataset}/beads.npz" if beaded else []


def search_files(wildcards):
    """Return what traces a chain through proposals, and explores about it."""
    networks = {
        "weights": f"{config['tracing']['proposer']}/weights.safetensors",
        "card": f"{config['tracing']['proposer']}/card.json",
        "prior": f"{config['tracing']['prior']}/weights.safetensors",
        "prior_card": f"{config['tracing']['prior']}/card.json",
    }
    measured = {
        "geometry": f"{RESULTS}/tracing/candidate_geometry.npz",
        "refined_geometry": f"{RESULTS}/tracing/refined_geometry.npz",
    }
    return {**networks, **measured}


def search_settings():
    """Return how a chain is traced through proposals, and explored about."""
    explorer = {**config["samplers"]["mmps"], **config["tracing"]["exploration"]}
    searches = {name: config["tracing"][name] for name in ("proposals", "annealing")}
    return {**searches, "explorer": explorer}


def traces_file(wildcards):
    """Return the traces that a reconstruction started from, if it did."""
    traced = wildcards.prior in TRACED_PRIORS
    return f"{RESULTS}/traces/{wildcards.dataset}/traces.npz" if traced else []


def control_file(wildcards):
    """Return what is traced with nothing learnt, beside a reconstruction from traces."""
    controlled = wildcards.dataset in BEADED and wildcards.prior in TRACED_PRIORS
    return f"{RESULTS}/traces/{wildcards.dataset}/control.npz" if controlled else []


def inferred_scale(wildcards):
    """Return the file of the inferred scale where the reconstruction used it."""
    if wildcards.scale == "inferred":
        return f"{RESULTS}/scales/{wildcards.dataset}/{wildcards.prior}.json"
    return []


def structure_file(wildcards):
    """Return the target's own file, or nothing where it is to be downloaded."""
    settings = config["structures"][wildcards.target]
    return [] if settings["source"] == "rcsb" else settings["file"]


def missing_of(results):
    """Return the results that are not there."""
    return [result for result in results if not Path(result).exists()]


def report_run(results):
    """Write the self-contained report of a run that has just ended with all results."""
    if missing_of(results):
        return
    command = ["snakemake", "--nolock", "--quiet", "all", "--report"]
    with NamedTemporaryFile("w", suffix=".json") as same:
        json.dump(config, same)
        same.flush()
        command += [f"{RESULTS}/report.html", "--configfile", same.name]
        subprocess.run([sys.executable, "-m", *command], check=True)


def price_run():
    """Say what the jobs that are about to run will cost, from what others took."""
    from equicryo.io.costs import price_jobs
    from equicryo.io.tables import read_table

    rules = [job.rule.name for job in workflow.dag.needrun_jobs()]
    logger.info(f"To be done: {price_jobs(rules, read_table(COSTS))} ({COSTS})")


def tabulate_run():
    """Write what each rule cost so far, and say what it adds up to."""
    # Imported here, as pandas takes a second that planning does not need.
    from equicryo.io.costs import COST_COLUMNS, describe_costs
    from equicryo.io.costs import read_costs, tabulate_costs
    from equicryo.io.tables import write_table

    rows = tabulate_costs(read_costs(f"{RESULTS}/benchmarks"))
    table = f"{RESULTS}/benchmarks/costs.csv"
    write_table(table, COST_COLUMNS, rows)
    logger.info(f"All there is in {RESULTS} took {describe_costs(rows[-1])} ({table})")


def check_run(results):
    """Refuse to end well where Snakemake has not planned all that was asked for.

    A job that was killed just after its output was written is done again first. All
    that follows from it is then planned by way of its output only, and where that is
    `ancient` to what follows, not at all (Snakemake 9.27, `DAG.update_needrun`).
    """
    asked = workflow.dag_settings
    if asked.targets or asked.target_jobs or asked.until or asked.omit_from:
        return
    if missing := missing_of(results):
        raise WorkflowError(
            f"{len(missing)} results are still missing, the first is {missing[0]}: a job "
            "that an interruption had cut off was done again before all others. Start "
            "again: all that is done is kept."
        )


def report_failures():
    """Say of each failed job, at the end of all output, what it needs."""
    from equicryo.io.failures import describe_failure

    for failed in workflow.scheduler.failed:
        jobs = list(failed.jobs) if failed.is_group() else [failed]
        kind = "group" if failed.is_group() else "rule"
        begun = [job for job in jobs if any(map(os.path.exists, job.log))]
        for job in begun or jobs:
            if not all(map(os.path.exists, job.output)):
                logs = f".snakemake/slurm_logs/{kind}_{failed.name}"
                wildcards = job.wildcards_dict
                text = describe_failure(job.rule.name, wildcards, job.log, logs)
                logger.error(f"\nFailed:\n{text}")
    logger.error("\nMend it and start again: all that is done is kept.")
