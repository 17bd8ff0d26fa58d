# Which images a data set takes from its stack, and in which chunks.

LARGEST_KEPT = 1000  # images in a stack on disk; of larger data sets only sums stay
CALIBRATION_IMAGES = 1000  # views behind a stack's noise variance, good to 0.4 %

IMAGES_SCRIPTS = ("simulate_images", "estimate_noise", "compress_images")

SMALL_DATASETS = [
    name for name in SIMULATED if config["datasets"][name]["n_images"] <= LARGEST_KEPT
]


def stack_settings(wildcards):
    """Return the settings of a stack."""
    return config["stacks"][wildcards.stack]


def stack_target_file(wildcards, name):
    """Return a file of the structure behind a stack."""
    return f"{RESULTS}/structures/{stack_settings(wildcards)['target']}/{name}"


def image_ranges(dataset):
    """Return the first and last image of each chunk of a data set, by chunk.

    The last chunk may be a part; whole ones are the same for all data sets of a stack.
    """
    count, size = (
        config["datasets"][dataset]["n_images"],
        stack_of(dataset)["chunk_size"],
    )
    return [(first, min(first + size, count)) for first in range(0, count, size)]


def chunk_file(stack, chunk, suffix):
    """Return a chunk's table or images, which are removed and remade at need.

    Equal settings make equal chunks. So that a chunk made again for another data set
    changes nothing that is done, what follows from chunks takes them as `ancient`.
    Snakemake then looks no further down, so all of it takes the stack's true noise as
    well, which is made anew with any setting and any code on the way.
    """
    return ancient(f"{RESULTS}/stacks/{stack}/chunks/{chunk}.{suffix}")


def range_chunk(wildcards):
    """Return the number of the chunk that holds a range of images."""
    return int(wildcards.first) // stack_settings(wildcards)["chunk_size"]


def range_file(suffix):
    """Return the function from a range of images to its chunk's file."""
    return lambda wildcards: chunk_file(wildcards.stack, range_chunk(wildcards), suffix)


def range_start(wildcards):
    """Return the number, in its stack, of the first image of a range's table."""
    return range_chunk(wildcards) * stack_settings(wildcards)["chunk_size"]


def first_chunk_file(suffix):
    """Return the function from a stack to its first chunk's file."""
    return lambda wildcards: chunk_file(wildcards.stack, 0, suffix)


def dataset_chunk_files(suffix):
    """Return the function from a data set to the files of its chunks, in order."""
    return lambda wildcards: [
        chunk_file(config["datasets"][wildcards.dataset]["stack"], chunk, suffix)
        for chunk in range(len(image_ranges(wildcards.dataset)))
    ]


def dataset_normal_files(wildcards):
    """Return the normal equations to be added for a data set, in order."""
    stack = config["datasets"][wildcards.dataset]["stack"]
    return [
        ancient(f"{RESULTS}/stacks/{stack}/normal/{first}_{last}.npz")
        for first, last in image_ranges(wildcards.dataset)
    ]


def dataset_true_noise_file(wildcards):
    """Return the noise power that a data set's images were made with."""
    stack = config["datasets"][wildcards.dataset]["stack"]
    return f"{RESULTS}/stacks/{stack}/true_noise.npz"
