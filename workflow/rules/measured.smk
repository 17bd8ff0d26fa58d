# A user's particle stacks: which there are, and in which chunks they are compressed.

from functools import cache

NOISE_IMAGES = 1000  # of each optics group, from which its noise is estimated

WITH_TRUTH = [
    name for name in MEASURED if config["datasets"][name]["particles"]["truth"]
]
WITHOUT_TRUTH = [name for name in MEASURED if name not in WITH_TRUTH]


def particles_settings(wildcards):
    """Return the settings of a user's stack."""
    return config["datasets"][wildcards.dataset]["particles"]


def chunk_size(wildcards):
    """Return how many of a user's particles one job compresses."""
    return config["datasets"][wildcards.dataset]["chunk_size"]


@cache
def open_particles(dataset):
    """Read the table of a user's stack, which tells how many jobs it needs."""
    # Imported here: it takes seconds, and runs without such stacks do not need it.
    from equicryo.errors import InputError
    from equicryo.io.user_particles import ParticlesConfig, read_user_particles

    settings = config["datasets"][dataset]["particles"]
    try:
        return read_user_particles(ParticlesConfig(**settings))
    except InputError as error:
        raise WorkflowError(f"config: datasets: {dataset}: {error}")


def particle_stacks(wildcards):
    """Return the image files that a user's table names."""
    return [str(header.path) for header in open_particles(wildcards.dataset).stacks]


def particle_chunks(wildcards):
    """Return the normal equations of a user's chunks, in order."""
    from equicryo.io.user_particles import plan_chunks

    chunks = plan_chunks(open_particles(wildcards.dataset), chunk_size(wildcards))
    folder = f"{RESULTS}/images/{wildcards.dataset}/chunks"
    return [f"{folder}/{chunk}.npz" for chunk in range(len(chunks))]


def bound_file(wildcards):
    """Return a dataset's Cramér-Rao bound, which only a truth gives."""
    known = wildcards.dataset not in WITHOUT_TRUTH
    return f"{RESULTS}/images/{wildcards.dataset}/crlb.json" if known else []
