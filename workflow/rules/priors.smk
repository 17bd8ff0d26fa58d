rule train_prior:
    input:
        unpack(training_files),
    output:
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
        curve=f"{RESULTS}/priors/{{prior}}/loss.csv",
    log:
        f"{RESULTS}/logs/train_prior/{{prior}}.log",
        picture=f"{RESULTS}/logs/train_prior/{{prior}}.png",
    benchmark:
        f"{RESULTS}/benchmarks/train_prior/{{prior}}.tsv"
    wildcard_constraints:
        prior="|".join(TRAINED_PRIORS),
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=training_minutes,
    params:
        settings=lambda wildcards: config["priors"][wildcards.prior],
        # Sums round by the number of threads: two everywhere, even on a single core.
        threads=2,
        seed=config["seed"],
        code=fingerprint("train_prior", without=("figures",)),
    script:
        "../scripts/train_prior.py"


rule adopt_prior:
    input:
        weights=lambda wildcards: adopted_file(wildcards, "weights.safetensors"),
        card=lambda wildcards: adopted_file(wildcards, "card.json"),
    output:
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
    log:
        f"{RESULTS}/logs/adopt_prior/{{prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/adopt_prior/{{prior}}.tsv"
    wildcard_constraints:
        prior=one_of(ADOPTED_PRIORS),
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(5),
    params:
        names=lambda wildcards: chain_names(config["priors"][wildcards.prior]["target"]),
        code=fingerprint("adopt_prior"),
    script:
        "../scripts/adopt_prior.py"


rule plant_scale:
    input:
        weights=lambda wildcards: planted_file(wildcards, "weights.safetensors"),
        card=lambda wildcards: planted_file(wildcards, "card.json"),
    output:
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
    log:
        f"{RESULTS}/logs/plant_scale/{{prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plant_scale/{{prior}}.tsv"
    wildcard_constraints:
        prior=one_of(PLANTED_PRIORS),
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(5),
    params:
        planted=lambda wildcards: config["priors"][wildcards.prior]["planted"],
        code=fingerprint("plant_scale"),
    script:
        "../scripts/plant_scale.py"


rule draw_prior:
    input:
        points=lambda wildcards: prior_file(wildcards.prior, "points.npz"),
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
    output:
        draws=f"{RESULTS}/priors/{{prior}}/draws.npz",
        shrinkage=f"{RESULTS}/priors/{{prior}}/shrinkage.csv",
    log:
        f"{RESULTS}/logs/draw_prior/{{prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_prior/{{prior}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(15),
    params:
        settings=config["draws"],
        seed=config["seed"],
        code=fingerprint("draw_prior"),
    script:
        "../scripts/draw_prior.py"
