rule infer_scale:
    input:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
        draws=f"{RESULTS}/priors/{{prior}}/draws.npz",
        constants=lambda wildcards: density_constants(wildcards.dataset),
    output:
        scale=f"{RESULTS}/scales/{{dataset}}/{{prior}}.json",
        rounds=f"{RESULTS}/scales/{{dataset}}/{{prior}}.csv",
    log:
        f"{RESULTS}/logs/infer_scale/{{dataset}}/{{prior}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/infer_scale/{{dataset}}/{{prior}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        settings=config["scale_inference"],
        sampler=config["samplers"]["dps"],
        density=lambda wildcards: density_settings(wildcards.dataset),
        measured=is_measured,
        seed=config["seed"],
        code=fingerprint("infer_scale"),
    script:
        "../scripts/infer_scale.py"


rule reconstruct:
    input:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
        draws=f"{RESULTS}/priors/{{prior}}/draws.npz",
        scale=inferred_scale,
        constants=lambda wildcards: density_constants(wildcards.dataset),
    output:
        ensemble=f"{RECONSTRUCTION}/ensemble.cif",
        diagnostics=f"{RECONSTRUCTION}/diagnostics.csv",
    log:
        f"{RESULTS}/logs/reconstruct/{{dataset}}/{{prior}}/{{sampler}}/"
        "alpha{alpha}_scale{scale}_seed{seed}.log",
    benchmark:
        (
            f"{RESULTS}/benchmarks/reconstruct/{{dataset}}/{{prior}}/{{sampler}}/"
            "alpha{alpha}_scale{scale}_seed{seed}.tsv"
        )
    wildcard_constraints:
        prior=one_of(PLACED_PRIORS),
        sampler=one_of([name for name in config["samplers"] if name != "mmps"]),
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        sampler=lambda wildcards: config["samplers"][wildcards.sampler],
        density=lambda wildcards: density_settings(wildcards.dataset),
        measured=is_measured,
        seed=config["seed"],
        code=fingerprint("reconstruct"),
    script:
        "../scripts/reconstruct.py"


rule reconstruct_from_samples:
    input:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
        start=f"{RECONSTRUCTION}/ensemble.cif".replace("{sampler}", "dps"),
        scale=inferred_scale,
        constants=lambda wildcards: density_constants(wildcards.dataset),
    output:
        ensemble=f"{RECONSTRUCTION}/ensemble.cif",
        diagnostics=f"{RECONSTRUCTION}/diagnostics.csv",
    log:
        f"{RESULTS}/logs/reconstruct_from_samples/{{dataset}}/{{prior}}/{{sampler}}/"
        "alpha{alpha}_scale{scale}_seed{seed}.log",
    benchmark:
        (
            f"{RESULTS}/benchmarks/reconstruct_from_samples/{{dataset}}/{{prior}}/{{sampler}}/"
            "alpha{alpha}_scale{scale}_seed{seed}.tsv"
        )
    wildcard_constraints:
        prior=one_of(PLACED_PRIORS),
        sampler="mmps",
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        sampler=lambda wildcards: config["samplers"][wildcards.sampler],
        density=lambda wildcards: density_settings(wildcards.dataset),
        measured=is_measured,
        seed=config["seed"],
        code=fingerprint("reconstruct_from_samples"),
    script:
        "../scripts/reconstruct_from_samples.py"


rule reconstruct_from_traces:
    input:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        points=lambda wildcards: target_file(wildcards.dataset, "points.npz"),
        weights=f"{RESULTS}/priors/{{prior}}/weights.safetensors",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
        traces=f"{RESULTS}/traces/{{dataset}}/traces.npz",
        draws=f"{RESULTS}/priors/{{prior}}/draws.npz",
        constants=lambda wildcards: density_constants(wildcards.dataset),
    output:
        ensemble=f"{RECONSTRUCTION}/ensemble.cif",
        diagnostics=f"{RECONSTRUCTION}/diagnostics.csv",
    log:
        f"{RESULTS}/logs/reconstruct_from_traces/{{dataset}}/{{prior}}/{{sampler}}/"
        "alpha{alpha}_scale{scale}_seed{seed}.log",
    benchmark:
        (
            f"{RESULTS}/benchmarks/reconstruct_from_traces/{{dataset}}/{{prior}}/{{sampler}}/"
            "alpha{alpha}_scale{scale}_seed{seed}.tsv"
        )
    wildcard_constraints:
        prior=one_of(TRACED_PRIORS),
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=minutes(60),
    params:
        sampler=lambda wildcards: config["samplers"][wildcards.sampler],
        density=lambda wildcards: density_settings(wildcards.dataset),
        measured=is_measured,
        seed=config["seed"],
        code=fingerprint("reconstruct_from_traces"),
    script:
        "../scripts/reconstruct_from_traces.py"
