rule choose_truth:
    input:
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        ensemble=lambda wildcards: target_file(wildcards.dataset, "ensemble.npz"),
    output:
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
    log:
        f"{RESULTS}/logs/choose_truth/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/choose_truth/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SIMULATED),
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        stack=lambda wildcards: stack_of(wildcards.dataset),
        code=fingerprint("choose_truth"),
    script:
        "../scripts/choose_truth.py"


rule calibrate_noise:
    input:
        structure=lambda wildcards: stack_target_file(wildcards, "structure.cif"),
        points=lambda wildcards: stack_target_file(wildcards, "points.npz"),
        ensemble=lambda wildcards: stack_target_file(wildcards, "ensemble.npz"),
    output:
        noise=f"{RESULTS}/stacks/{{stack}}/true_noise.npz",
    log:
        f"{RESULTS}/logs/calibrate_noise/{{stack}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/calibrate_noise/{{stack}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(30),
    params:
        stack=stack_settings,
        images=CALIBRATION_IMAGES,
        seed=config["seed"],
        # All that images and their sums go through: see `chunk_file`.
        code=fingerprint("calibrate_noise", *IMAGES_SCRIPTS),
    script:
        "../scripts/calibrate_noise.py"


rule simulate_images:
    input:
        structure=lambda wildcards: stack_target_file(wildcards, "structure.cif"),
        points=lambda wildcards: stack_target_file(wildcards, "points.npz"),
        ensemble=lambda wildcards: stack_target_file(wildcards, "ensemble.npz"),
        noise=f"{RESULTS}/stacks/{{stack}}/true_noise.npz",
    output:
        star=temp(f"{RESULTS}/stacks/{{stack}}/chunks/{{chunk}}.star"),
        stack=temp(f"{RESULTS}/stacks/{{stack}}/chunks/{{chunk}}.mrcs"),
    log:
        f"{RESULTS}/logs/simulate_images/{{stack}}_{{chunk}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_images/{{stack}}_{{chunk}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(30),
    params:
        stack=stack_settings,
        seed=config["seed"],
        code=fingerprint("simulate_images"),
    script:
        "../scripts/simulate_images.py"


rule gather_images:
    input:
        noise=dataset_true_noise_file,
        stars=dataset_chunk_files("star"),
        stacks=dataset_chunk_files("mrcs"),
    output:
        star=f"{RESULTS}/images/{{dataset}}/particles.star",
        stack=f"{RESULTS}/images/{{dataset}}/particles.mrcs",
    log:
        f"{RESULTS}/logs/gather_images/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gather_images/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SMALL_DATASETS),
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        n_images=lambda wildcards: config["datasets"][wildcards.dataset]["n_images"],
        code=fingerprint("gather_images"),
    script:
        "../scripts/gather_images.py"


rule estimate_noise:
    input:
        points=lambda wildcards: stack_target_file(wildcards, "points.npz"),
        noise=f"{RESULTS}/stacks/{{stack}}/true_noise.npz",
        star=first_chunk_file("star"),
        stack=first_chunk_file("mrcs"),
    output:
        noise=f"{RESULTS}/stacks/{{stack}}/noise.npz",
    log:
        f"{RESULTS}/logs/estimate_noise/{{stack}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/estimate_noise/{{stack}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(20),
    params:
        kind=lambda wildcards: stack_settings(wildcards)["noise"]["kind"],
        code=fingerprint("estimate_noise"),
    script:
        "../scripts/estimate_noise.py"


rule compress_images:
    input:
        points=lambda wildcards: stack_target_file(wildcards, "points.npz"),
        star=range_file("star"),
        stack=range_file("mrcs"),
        true_noise=f"{RESULTS}/stacks/{{stack}}/true_noise.npz",
        noise=ancient(f"{RESULTS}/stacks/{{stack}}/noise.npz"),
    output:
        normal=f"{RESULTS}/stacks/{{stack}}/normal/{{first}}_{{last}}.npz",
    log:
        f"{RESULTS}/logs/compress_images/{{stack}}_{{first}}_{{last}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compress_images/{{stack}}_{{first}}_{{last}}.tsv"
    # Before more images are made: they stay on disk until they are compressed.
    priority: 1
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(30),
    params:
        stack=stack_settings,
        table_start=range_start,
        code=fingerprint("compress_images"),
    script:
        "../scripts/compress_images.py"


rule sum_normal_equations:
    input:
        noise=dataset_true_noise_file,
        chunks=dataset_normal_files,
    output:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
    log:
        f"{RESULTS}/logs/sum_normal_equations/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sum_normal_equations/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SIMULATED),
    priority: 2
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        code=fingerprint("sum_normal_equations"),
    script:
        "../scripts/sum_normal_equations.py"
