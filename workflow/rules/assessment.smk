# What a generalist prior must prove: on draws, and on chains that it has not seen.

HELD_OUT_CHAINS = {
    "targets": "resources/chains/targets.npz",
    "held_out": "resources/chains/held_out.csv",
}
SHIPPED_CHAINS = {
    "training": "resources/chains/subset.npz",
    "splits": "resources/chains/splits.csv",
}

ASSESSED_PRIORS = list_assessed()
GENERALISTS = [
    name for name, prior in config["priors"].items() if prior["regime"] == "generalist"
]


rule draw_chains:
    input:
        **HELD_OUT_CHAINS,
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
    output:
        chains=f"{RESULTS}/priors/{{prior}}/chains/{{mode}}.npz",
        trace=f"{RESULTS}/priors/{{prior}}/chains/{{mode}}.csv",
    log:
        f"{RESULTS}/logs/draw_chains/{{prior}}_{{mode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_chains/{{prior}}_{{mode}}.tsv"
    wildcard_constraints:
        prior=one_of(GENERALISTS),
        mode="sequence|no_sequence",
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(60),
    params:
        settings=config["assessment"],
        seed=config["seed"],
        code=fingerprint("draw_chains"),
    script:
        "../scripts/draw_chains.py"


rule denoise_chains:
    input:
        chains="resources/chains/assessed.npz",
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
    output:
        denoising=f"{RESULTS}/priors/{{prior}}/denoising.csv",
    log:
        f"{RESULTS}/logs/denoise_chains/{{prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/denoise_chains/{{prior}}.tsv"
    wildcard_constraints:
        prior=one_of(GENERALISTS),
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(60),
    params:
        settings={k: config["assessment"][k] for k in ("denoised", "noise_copies")},
        seed=config["seed"],
        code=fingerprint("denoise_chains"),
    script:
        "../scripts/denoise_chains.py"


rule assess_prior:
    input:
        **HELD_OUT_CHAINS,
        **SHIPPED_CHAINS,
        chains=f"{RESULTS}/priors/{{prior}}/chains/sequence.npz",
        chains_no_sequence=f"{RESULTS}/priors/{{prior}}/chains/no_sequence.npz",
        denoising=f"{RESULTS}/priors/{{prior}}/denoising.csv",
    output:
        quality=f"{RESULTS}/priors/{{prior}}/quality.csv",
    log:
        f"{RESULTS}/logs/assess_prior/{{prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/assess_prior/{{prior}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        splits=config["assessment"]["splits"],
        code=fingerprint("assess_prior"),
    script:
        "../scripts/assess_prior.py"


rule draw_quality:
    input:
        **HELD_OUT_CHAINS,
        **SHIPPED_CHAINS,
        chains=f"{RESULTS}/priors/{{prior}}/chains/sequence.npz",
        trace=f"{RESULTS}/priors/{{prior}}/chains/sequence.csv",
        trace_no_sequence=f"{RESULTS}/priors/{{prior}}/chains/no_sequence.csv",
        denoising=f"{RESULTS}/priors/{{prior}}/denoising.csv",
    output:
        svg=report(
            f"{RESULTS}/figures/prior_quality_{{prior}}.svg",
            caption="../report/prior_quality.rst",
            category="Priors",
            labels={"figure": "quality of {prior}"},
        ),
        png=f"{RESULTS}/figures/prior_quality_{{prior}}.png",
        csv=f"{RESULTS}/figures/prior_quality_{{prior}}.csv",
    log:
        f"{RESULTS}/logs/draw_quality/{{prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_quality/{{prior}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        splits=config["assessment"]["splits"],
        code=fingerprint("draw_quality"),
    script:
        "../scripts/draw_quality.py"


# The two below are asked for by name: an hour, and tmtools, which is GPL; half an hour.
rule compare_folds:
    input:
        **HELD_OUT_CHAINS,
        drawn=f"{RESULTS}/priors/{{prior}}/chains/sequence.npz",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
        chains="results/chains/chains.npz",
        scores=expand(
            "results/chains/scores/{held_out}.csv",
            held_out=held_out_of(config["assessment"]["splits"]),
        ),
    output:
        folds=f"{RESULTS}/priors/{{prior}}/folds.csv",
    log:
        f"{RESULTS}/logs/compare_folds/{{prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_folds/{{prior}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(180),
    params:
        draws=16,
        splits=config["assessment"]["splits"],
        code=fingerprint("compare_folds"),
    script:
        "../scripts/compare_folds.py"


rule compare_samplers:
    input:
        **HELD_OUT_CHAINS,
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
    output:
        table=f"{RESULTS}/priors/{{prior}}/samplers.csv",
    log:
        f"{RESULTS}/logs/compare_samplers/{{prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_samplers/{{prior}}.tsv"
    wildcard_constraints:
        prior=one_of(GENERALISTS),
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(180),
    params:
        settings={
            "steps": [25, 50, 100],
            "churn": [0.0, 0.1, 0.3],
            "samples": 16,
            "noise": {"largest_noise": 80.0, "smallest_noise": 0.05},
        },
        seed=config["seed"],
        code=fingerprint("compare_samplers"),
    script:
        "../scripts/compare_samplers.py"


# Asked for by the name of their files only: they tell of the method, not of any data.
rule train_mixture:
    input:
        points=f"{RESULTS}/structures/1hel/points.npz",
    output:
        weights=f"{RESULTS}/mixture/weights.safetensors",
        card=f"{RESULTS}/mixture/card.json",
    log:
        f"{RESULTS}/logs/train_mixture.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_mixture.tsv"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(60),
    params:
        settings={
            "whitened": 1000,
            "network": {"width": 64, "rounds": 2, "layers": 2, "heads": 4},
            "training": {
                "steps": 4000,
                "batch_residues": 1024,
                "learning_rate": 0.001,
                "matrix_rate": 0.01,
                "warm_up": 50,
                "cool_down": 2000,
                "average_decay": 0.99,
                "smallest_noise": 0.05,
                "largest_noise": 80.0,
                "gradient_clip": 1.0,
                "checkpoint_interval": 500,
                "validation_interval": 500,
            },
        },
        seed=config["seed"],
        code=fingerprint("train_mixture"),
    script:
        "../scripts/train_mixture.py"


rule compare_mixture:
    input:
        points=f"{RESULTS}/structures/1hel/points.npz",
        weights=f"{RESULTS}/mixture/weights.safetensors",
        card=f"{RESULTS}/mixture/card.json",
    output:
        svg=f"{RESULTS}/figures/mixture.svg",
        png=f"{RESULTS}/figures/mixture.png",
        csv=f"{RESULTS}/figures/mixture.csv",
    log:
        f"{RESULTS}/logs/compare_mixture.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_mixture.tsv"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(60),
    params:
        settings={
            "chains": 1000,
            "churn": 0.0,
            "schedule": {"steps": 60, "largest_noise": 80.0, "smallest_noise": 0.05},
        },
        seed=config["seed"],
        code=fingerprint("compare_mixture"),
    script:
        "../scripts/compare_mixture.py"
