rule bound_error:
    input:
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        constants=lambda wildcards: density_constants(wildcards.dataset),
    output:
        bound=f"{RESULTS}/images/{{dataset}}/crlb.json",
    log:
        f"{RESULTS}/logs/bound_error/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/bound_error/{{dataset}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(20),
    params:
        density=lambda wildcards: density_settings(wildcards.dataset),
        measured=is_measured,
        code=fingerprint("bound_error"),
    script:
        "../scripts/bound_error.py"


rule weigh_evidence:
    input:
        ensemble=f"{RECONSTRUCTION}/ensemble.cif",
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        bound=bound_file,
        traces=traces_file,
        constants=lambda wildcards: density_constants(wildcards.dataset),
    output:
        evidence=f"{RECONSTRUCTION}/evidence.json",
        residues=f"{RECONSTRUCTION}/residues.csv",
    log:
        f"{RESULTS}/logs/weigh_evidence/{{dataset}}/{{prior}}/{{sampler}}/"
        "alpha{alpha}_scale{scale}_seed{seed}.log",
    benchmark:
        (
            f"{RESULTS}/benchmarks/weigh_evidence/{{dataset}}/{{prior}}/"
            "{sampler}/alpha{alpha}_scale{scale}_seed{seed}.tsv"
        )
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        density=lambda wildcards: density_settings(wildcards.dataset),
        measured=is_measured,
        code=fingerprint("weigh_evidence"),
    script:
        "../scripts/weigh_evidence.py"


rule score_reconstruction:
    input:
        ensemble=f"{RECONSTRUCTION}/ensemble.cif",
        evidence=f"{RECONSTRUCTION}/evidence.json",
        diagnostics=f"{RECONSTRUCTION}/diagnostics.csv",
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
        bound=f"{RESULTS}/images/{{dataset}}/crlb.json",
        draws=f"{RESULTS}/priors/{{prior}}/draws.npz",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
        scale=inferred_scale,
        traces=traces_file,
        control=control_file,
    output:
        score=f"{RECONSTRUCTION}/score.csv",
        samples=f"{RECONSTRUCTION}/samples.csv",
    log:
        f"{RESULTS}/logs/score_reconstruction/{{dataset}}/{{prior}}/{{sampler}}/"
        "alpha{alpha}_scale{scale}_seed{seed}.log",
    benchmark:
        (
            f"{RESULTS}/benchmarks/score_reconstruction/{{dataset}}/{{prior}}/"
            "{sampler}/alpha{alpha}_scale{scale}_seed{seed}.tsv"
        )
    wildcard_constraints:
        dataset=one_of([*SIMULATED, *WITH_TRUTH]),
    threads: 1
    resources:
        mem_mb=memory(1500),
        runtime=minutes(10),
    params:
        labels=score_labels,
        seed=config["seed"],
        code=fingerprint("score_reconstruction"),
    script:
        "../scripts/score_reconstruction.py"


rule aggregate_metrics:
    input:
        scores=expand("{path}/score.csv", path=RECONSTRUCTIONS),
    output:
        metrics=report(
            f"{RESULTS}/metrics.csv",
            caption="../report/metrics.rst",
            category="Metrics",
            labels={"table": "all reconstructions"},
        ),
    log:
        f"{RESULTS}/logs/aggregate_metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/aggregate_metrics.tsv"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(5),
    params:
        code=fingerprint("aggregate_metrics"),
    script:
        "../scripts/aggregate_metrics.py"


rule write_provenance:
    input:
        metrics=f"{RESULTS}/metrics.csv",
        given=given_files(),
    output:
        provenance=f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/write_provenance.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_provenance.tsv"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(5),
    params:
        config=config,
        # Of every script: their hashes are what it records.
        code=fingerprint("write_provenance", *SCRIPTS),
    script:
        "../scripts/write_provenance.py"
