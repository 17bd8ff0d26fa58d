# The chains that a generalist prior learns from. No rule here runs by default:
# `snakemake results/chains/splits.csv` makes the set anew, without any run's name.

PACKAGE = "results/downloads/promod3-data.deb"


rule get_chains:
    output:
        package=PACKAGE,
    log:
        "results/logs/get_chains.log",
    benchmark:
        "results/benchmarks/get_chains.tsv"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(60),
    params:
        settings=lambda wildcards: config["chains"],
        code=fingerprint("get_chains"),
    script:
        "../scripts/get_chains.py"


rule extract_chains:
    input:
        database=(
            config["chains"]["file"]
            if config["chains"]["source"] == "file"
            else PACKAGE
        ),
    output:
        chains="results/chains/chains.npz",
    log:
        "results/logs/extract_chains.log",
    benchmark:
        "results/benchmarks/extract_chains.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15),
    params:
        code=fingerprint("extract_chains"),
    script:
        "../scripts/extract_chains.py"


rule align_chains:
    input:
        chains="results/chains/chains.npz",
        targets="resources/chains/targets.npz",
    output:
        scores="results/chains/scores/{held_out}.csv",
    log:
        "results/logs/align_chains/{held_out}.log",
    benchmark:
        "results/benchmarks/align_chains/{held_out}.tsv"
    wildcard_constraints:
        held_out=r"\w+",
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(60),
    params:
        code=fingerprint("align_chains"),
    script:
        "../scripts/align_chains.py"


rule split_chains:
    input:
        chains="results/chains/chains.npz",
        scores=expand(
            "results/chains/scores/{held_out}.csv",
            held_out=list(HELD_OUT),
        ),
        held_out="resources/chains/held_out.csv",
        families="resources/chains/families.csv",
    output:
        splits="results/chains/splits.csv",
    log:
        "results/logs/split_chains.log",
    benchmark:
        "results/benchmarks/split_chains.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        code=fingerprint("split_chains"),
    script:
        "../scripts/split_chains.py"


# Chains to assess priors on, beyond those that constants and claims are made on: kept
# from training for the sake of a held-out chain, and without a relative in it.
rule screen_chains:
    input:
        chains="results/chains/chains.npz",
        splits="resources/chains/splits.csv",
    output:
        table="results/chains/screened/{held_out}.csv",
    log:
        "results/logs/screen_chains/{held_out}.log",
    benchmark:
        "results/benchmarks/screen_chains/{held_out}.tsv"
    wildcard_constraints:
        held_out=r"\w+",
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(240),
    params:
        candidates=60,
        seed=config["seed"],
        code=fingerprint("screen_chains"),
    script:
        "../scripts/screen_chains.py"


rule choose_assessed:
    input:
        chains="results/chains/chains.npz",
        screened=expand(
            "results/chains/screened/{held_out}.csv",
            held_out=held_out_of(("benchmark", "test")),
        ),
    output:
        chains="results/chains/assessed.npz",
        table="results/chains/assessed.csv",
    log:
        "results/logs/choose_assessed.log",
    benchmark:
        "results/benchmarks/choose_assessed.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        code=fingerprint("choose_assessed"),
    script:
        "../scripts/choose_assessed.py"
