rule train_proposer:
    input:
        chains=config["proposer"]["chains"],
        splits="resources/chains/splits.csv",
        targets="resources/chains/targets.npz",
        held_out="resources/chains/held_out.csv",
        constants="resources/residue_model/constants.json",
    output:
        weights=f"{RESULTS}/proposer/weights.safetensors",
        card=f"{RESULTS}/proposer/card.json",
        curve=f"{RESULTS}/proposer/loss.csv",
    log:
        f"{RESULTS}/logs/train_proposer.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_proposer.tsv"
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        settings=config["proposer"],
        seed=config["seed"],
        code=fingerprint("train_proposer"),
    script:
        "../scripts/train_proposer.py"


rule measure_geometry:
    input:
        chains="resources/chains/subset.npz",
        splits="resources/chains/splits.csv",
    output:
        geometry=f"{RESULTS}/tracing/{{traces}}_geometry.npz",
    log:
        f"{RESULTS}/logs/measure_geometry/{{traces}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_geometry/{{traces}}.tsv"
    wildcard_constraints:
        traces=one_of(config["tracing"]["displacement"]),
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        displacement=lambda wildcards: config["tracing"]["displacement"][
            wildcards.traces
        ],
        seed=config["seed"],
        code=fingerprint("measure_geometry"),
    script:
        "../scripts/measure_geometry.py"


rule trace_beads:
    input:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        geometry=f"{RESULTS}/tracing/candidate_geometry.npz",
    output:
        traces=f"{RESULTS}/traces/{{dataset}}/beads.npz",
    log:
        f"{RESULTS}/logs/trace_beads/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/trace_beads/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(BEADED),
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        settings=config["tracing"]["beads"],
        density=lambda wildcards: density_settings(wildcards.dataset),
        measured=is_measured,
        code=fingerprint("trace_beads"),
    script:
        "../scripts/trace_beads.py"


rule trace_control:
    input:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        geometry=f"{RESULTS}/tracing/candidate_geometry.npz",
    output:
        traces=f"{RESULTS}/traces/{{dataset}}/control.npz",
    log:
        f"{RESULTS}/logs/trace_control/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/trace_control/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(BEADED),
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        settings=config["tracing"]["beads"],
        annealing={**config["tracing"]["annealing"], **config["tracing"]["control"]},
        density=lambda wildcards: density_settings(wildcards.dataset),
        measured=is_measured,
        seed=config["seed"],
        code=fingerprint("trace_control"),
    script:
        "../scripts/trace_control.py"


rule trace_chain:
    input:
        unpack(search_files),
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        constants=lambda wildcards: density_constants(wildcards.dataset),
        beads=beads_file,
    output:
        traces=f"{RESULTS}/traces/{{dataset}}/traces.npz",
        models=f"{RESULTS}/traces/{{dataset}}/traces.cif",
        table=f"{RESULTS}/traces/{{dataset}}/traces.csv",
    log:
        f"{RESULTS}/logs/trace_chain/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/trace_chain/{{dataset}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        settings=search_settings(),
        names=lambda wildcards: (
            chain_names(stack_of(wildcards.dataset)["target"])
            if wildcards.dataset in SIMULATED
            else []
        ),
        seed=config["seed"],
        density=lambda wildcards: density_settings(wildcards.dataset),
        measured=is_measured,
        code=fingerprint("trace_chain"),
    script:
        "../scripts/trace_chain.py"
