rule simulate_images:
    input:
        structure=lambda wildcards: target_file(wildcards.dataset, "structure.cif"),
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        ensemble=lambda wildcards: target_file(wildcards.dataset, "ensemble.npz"),
    output:
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
        star=f"{RESULTS}/images/{{dataset}}/particles.star",
        stack=f"{RESULTS}/images/{{dataset}}/particles.mrcs",
    log:
        f"{RESULTS}/logs/simulate_images/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_images/{{dataset}}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: config["datasets"][wildcards.dataset],
        seed=config["seed"],
        code=fingerprint("simulate_images"),
    script:
        "../scripts/simulate_images.py"


rule estimate_noise:
    input:
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        star=f"{RESULTS}/images/{{dataset}}/particles.star",
        stack=f"{RESULTS}/images/{{dataset}}/particles.mrcs",
    output:
        noise=f"{RESULTS}/images/{{dataset}}/noise.npz",
    log:
        f"{RESULTS}/logs/estimate_noise/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/estimate_noise/{{dataset}}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=fingerprint("estimate_noise"),
    script:
        "../scripts/estimate_noise.py"


rule compress_images:
    input:
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        star=f"{RESULTS}/images/{{dataset}}/particles.star",
        stack=f"{RESULTS}/images/{{dataset}}/particles.mrcs",
        noise=f"{RESULTS}/images/{{dataset}}/noise.npz",
    output:
        normal=temp(f"{RESULTS}/images/{{dataset}}/chunks/{{chunk}}.npz"),
    log:
        f"{RESULTS}/logs/compress_images/{{dataset}}_{{chunk}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compress_images/{{dataset}}_{{chunk}}.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        chunk_size=lambda wildcards: config["datasets"][wildcards.dataset]["chunk_size"],
        code=fingerprint("compress_images"),
    script:
        "../scripts/compress_images.py"


rule sum_normal_equations:
    input:
        chunks=lambda wildcards: expand(
            f"{RESULTS}/images/{{dataset}}/chunks/{{chunk}}.npz",
            dataset=wildcards.dataset,
            chunk=range(n_chunks(wildcards.dataset)),
        ),
    output:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
    log:
        f"{RESULTS}/logs/sum_normal_equations/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sum_normal_equations/{{dataset}}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        code=fingerprint("sum_normal_equations"),
    script:
        "../scripts/sum_normal_equations.py"
