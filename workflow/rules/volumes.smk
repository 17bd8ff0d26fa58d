# Densities with a voxel prior: only what `volume_studies` asks for runs by default.
# `snakemake results/voxel_priors/density/weights.safetensors` trains a prior.


rule train_voxel_prior:
    input:
        chains=lambda wildcards: config["voxel_priors"][wildcards.voxel_prior]["chains"],
        splits="resources/chains/splits.csv",
        targets="resources/chains/targets.npz",
        held_out="resources/chains/held_out.csv",
        constants="resources/residue_model/constants.json",
        atoms="resources/residue_model/training_chains.npz",
    output:
        weights=f"{RESULTS}/voxel_priors/{{voxel_prior}}/weights.safetensors",
        card=f"{RESULTS}/voxel_priors/{{voxel_prior}}/card.json",
        curve=f"{RESULTS}/voxel_priors/{{voxel_prior}}/loss.csv",
    log:
        f"{RESULTS}/logs/train_voxel_prior/{{voxel_prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_voxel_prior/{{voxel_prior}}.tsv"
    wildcard_constraints:
        voxel_prior=one_of(LEARNT_VOXEL_PRIORS),
    threads: 2
    resources:
        mem_mb=memory(6000),
        runtime=minutes(1440),
    params:
        settings=lambda wildcards: config["voxel_priors"][wildcards.voxel_prior],
        seed=config["seed"],
        code=fingerprint("train_voxel_prior"),
    script:
        "../scripts/train_voxel_prior.py"


rule reconstruct_volume:
    input:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        weights=lambda wildcards: voxel_prior_file(wildcards, "weights.safetensors"),
        card=lambda wildcards: voxel_prior_file(wildcards, "card.json"),
    output:
        mean=f"{VOLUME}/mean.mrc",
        spread=f"{VOLUME}/spread.mrc",
        diagnostics=f"{VOLUME}/diagnostics.csv",
    log:
        f"{RESULTS}/logs/reconstruct_volume/{{dataset}}/{{voxel_prior}}/"
        "{volume_sampler}_seed{seed}.log",
    benchmark:
        (
            f"{RESULTS}/benchmarks/reconstruct_volume/{{dataset}}/{{voxel_prior}}/"
            "{volume_sampler}_seed{seed}.tsv"
        )
    threads: 2
    resources:
        mem_mb=memory(3000),
        runtime=minutes(60),
    params:
        sampler=lambda wildcards: config["volume_samplers"][wildcards.volume_sampler],
        seed=config["seed"],
        code=fingerprint("reconstruct_volume"),
    script:
        "../scripts/reconstruct_volume.py"


rule control_volume:
    input:
        structure=lambda wildcards: target_file(wildcards.dataset, "structure.cif"),
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        weights=lambda wildcards: voxel_prior_file(wildcards, "weights.safetensors"),
        card=lambda wildcards: voxel_prior_file(wildcards, "card.json"),
        chains="resources/chains/subset.npz",
        splits="resources/chains/splits.csv",
    output:
        table=f"{VOLUME}/control.csv",
        mean=f"{VOLUME}/control.mrc",
    log:
        f"{RESULTS}/logs/control_volume/{{dataset}}/{{voxel_prior}}/"
        "{volume_sampler}_seed{seed}.log",
    benchmark:
        (
            f"{RESULTS}/benchmarks/control_volume/{{dataset}}/{{voxel_prior}}/"
            "{volume_sampler}_seed{seed}.tsv"
        )
    wildcard_constraints:
        dataset=one_of(SIMULATED),
    threads: 2
    resources:
        mem_mb=memory(3000),
        runtime=minutes(60),
    params:
        stack=lambda wildcards: stack_of(wildcards.dataset),
        sampler=lambda wildcards: config["volume_samplers"][wildcards.volume_sampler],
        chains=50,
        seed=config["seed"],
        code=fingerprint("control_volume"),
    script:
        "../scripts/control_volume.py"


rule score_volumes:
    input:
        structure=lambda wildcards: target_file(wildcards.dataset, "structure.cif"),
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        means=volume_files("mean.mrc"),
        spreads=volume_files("spread.mrc"),
        relion=relion_map,
    output:
        scores=f"{RESULTS}/volumes/{{dataset}}/scores.csv",
        fsc=f"{RESULTS}/volumes/{{dataset}}/fsc.csv",
        truth=f"{RESULTS}/volumes/{{dataset}}/truth.mrc",
        wiener=f"{RESULTS}/volumes/{{dataset}}/wiener_oracle.mrc",
        local_resolution=f"{RESULTS}/volumes/{{dataset}}/local_resolution.mrc",
    log:
        f"{RESULTS}/logs/score_volumes/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_volumes/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SIMULATED),
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(30),
    params:
        stack=lambda wildcards: stack_of(wildcards.dataset),
        case=volume_case,
        labels=volume_labels,
        samples=16,
        spacing=4,
        seed=config["seed"],
        code=fingerprint("score_volumes"),
    script:
        "../scripts/score_volumes.py"


# Asked for by the name of its file: some minutes.
rule trace_volumes:
    input:
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        wiener=f"{RESULTS}/volumes/{{dataset}}/wiener_oracle.mrc",
        mean=first_volume_file("mean.mrc"),
        geometry=f"{RESULTS}/tracing/candidate_geometry.npz",
        constants="resources/residue_model/constants.json",
        weights=f"{config['tracing']['proposer']}/weights.safetensors",
        card=f"{config['tracing']['proposer']}/card.json",
    output:
        table=f"{RESULTS}/volumes/{{dataset}}/hand_over.csv",
    log:
        f"{RESULTS}/logs/trace_volumes/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/trace_volumes/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SIMULATED),
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(120),
    params:
        settings=config["tracing"]["proposals"],
        density=lambda wildcards: {
            **density_settings(wildcards.dataset),
            "residue_model": "full",
        },
        code=fingerprint("trace_volumes"),
    script:
        "../scripts/trace_volumes.py"


rule tabulate_volumes:
    input:
        scores=expand(
            f"{RESULTS}/volumes/{{dataset}}/scores.csv", dataset=VOLUME_DATASETS
        ),
    output:
        table=f"{RESULTS}/voxel.csv",
    log:
        f"{RESULTS}/logs/tabulate_volumes.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_volumes.tsv"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(5),
    params:
        code=fingerprint("tabulate_volumes"),
    script:
        "../scripts/tabulate_volumes.py"


rule draw_volumes:
    input:
        truth=f"{RESULTS}/volumes/{{dataset}}/truth.mrc",
        wiener=f"{RESULTS}/volumes/{{dataset}}/wiener_oracle.mrc",
        local_resolution=f"{RESULTS}/volumes/{{dataset}}/local_resolution.mrc",
        fsc=f"{RESULTS}/volumes/{{dataset}}/fsc.csv",
        mean=first_volume_file("mean.mrc"),
        spread=first_volume_file("spread.mrc"),
    output:
        svg=report(
            f"{RESULTS}/figures/volumes_{{dataset}}.svg",
            caption="../report/volumes.rst",
            category="Densities",
            labels={"figure": "densities of {dataset}"},
        ),
        png=f"{RESULTS}/figures/volumes_{{dataset}}.png",
        csv=f"{RESULTS}/figures/volumes_{{dataset}}.csv",
    log:
        f"{RESULTS}/logs/draw_volumes/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_volumes/{{dataset}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(1500),
        runtime=minutes(5),
    params:
        code=fingerprint("draw_volumes"),
    script:
        "../scripts/draw_volumes.py"
