rule reconstruct_map:
    input:
        structure=lambda wildcards: target_file(wildcards.dataset, "structure.cif"),
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        stars=dataset_chunk_files("star"),
        stacks=dataset_chunk_files("mrcs"),
    output:
        table=f"{RESULTS}/images/{{dataset}}/relion.csv",
        summary=f"{RESULTS}/images/{{dataset}}/relion.json",
        relion=f"{RESULTS}/images/{{dataset}}/relion.mrc",
        ours=f"{RESULTS}/images/{{dataset}}/wiener.mrc",
    log:
        f"{RESULTS}/logs/reconstruct_map/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/reconstruct_map/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SIMULATED),
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        stack=lambda wildcards: stack_of(wildcards.dataset),
        resolution=4.0,
        code=fingerprint("reconstruct_map"),
    script:
        "../scripts/reconstruct_map.py"
