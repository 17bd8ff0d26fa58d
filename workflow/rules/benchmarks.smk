# Asked for by the name of its file only: half an hour, and times that differ each run.
rule benchmark_physics:
    output:
        table=f"{RESULTS}/benchmarks/physics.csv",
    log:
        f"{RESULTS}/logs/benchmark_physics.log",
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        settings={
            "stack_images": 1000,
            "image_counts": [100, 1000, 10000, 100000],
            "loop_images": 10000,
            "projections": 100,
            "paddings": [2.0, 3.0],
            "rounds": 25,
            "box_size": 128,
            "support_size": 64,
        },
        seed=config["seed"],
        code=fingerprint("benchmark_physics"),
    script:
        "../scripts/benchmark_physics.py"


# As above; a minute.
rule benchmark_prior:
    input:
        weights="resources/priors/generalist/weights.safetensors",
        card="resources/priors/generalist/card.json",
        chains="resources/chains/subset.npz",
    output:
        table=f"{RESULTS}/benchmarks/prior.csv",
    log:
        f"{RESULTS}/logs/benchmark_prior.log",
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        settings={"lengths": [64, 129, 214], "batch_residues": 1024, "rounds": 15},
        code=fingerprint("benchmark_prior"),
    script:
        "../scripts/benchmark_prior.py"
