rule get_structure:
    input:
        file=structure_file,
    output:
        structure=f"{RESULTS}/structures/{{target}}/structure.cif",
    log:
        f"{RESULTS}/logs/get_structure/{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/get_structure/{{target}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=lambda wildcards: config["structures"][wildcards.target],
        cache="results/downloads",
        code=fingerprint("get_structure"),
    script:
        "../scripts/get_structure.py"


rule prepare_points:
    input:
        structure=f"{RESULTS}/structures/{{target}}/structure.cif",
    output:
        points=f"{RESULTS}/structures/{{target}}/points.npz",
    log:
        f"{RESULTS}/logs/prepare_points/{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare_points/{{target}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        code=fingerprint("prepare_points"),
    script:
        "../scripts/prepare_points.py"


rule prepare_voxels:
    input:
        structure=f"{RESULTS}/structures/{{target}}/structure.cif",
    output:
        voxels=f"{RESULTS}/structures/{{target}}/voxels.mrc",
    log:
        f"{RESULTS}/logs/prepare_voxels/{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare_voxels/{{target}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(5),
    params:
        settings=config["voxels"],
        code=fingerprint("prepare_voxels"),
    script:
        "../scripts/prepare_voxels.py"


rule make_ensemble:
    input:
        points=f"{RESULTS}/structures/{{target}}/points.npz",
    output:
        ensemble=f"{RESULTS}/structures/{{target}}/ensemble.npz",
    log:
        f"{RESULTS}/logs/make_ensemble/{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_ensemble/{{target}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(15),
    params:
        settings=lambda wildcards: config["ensembles"][wildcards.target],
        seed=config["seed"],
        code=fingerprint("make_ensemble"),
    script:
        "../scripts/make_ensemble.py"
