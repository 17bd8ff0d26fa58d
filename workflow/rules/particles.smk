rule read_molecule:
    input:
        sequence=lambda wildcards: particles_settings(wildcards)["sequence"],
    output:
        points=f"{RESULTS}/images/{{dataset}}/points.npz",
    log:
        f"{RESULTS}/logs/read_molecule/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/read_molecule/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(MEASURED),
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        code=fingerprint("read_molecule"),
    script:
        "../scripts/read_molecule.py"


rule read_truth:
    input:
        truth=lambda wildcards: particles_settings(wildcards)["truth"],
        points=f"{RESULTS}/images/{{dataset}}/points.npz",
    output:
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
    log:
        f"{RESULTS}/logs/read_truth/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/read_truth/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(WITH_TRUTH),
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        code=fingerprint("read_truth"),
    script:
        "../scripts/read_truth.py"


rule estimate_group_noise:
    input:
        star=lambda wildcards: particles_settings(wildcards)["star"],
        stacks=particle_stacks,
        points=f"{RESULTS}/images/{{dataset}}/points.npz",
    output:
        noise=f"{RESULTS}/images/{{dataset}}/group_noise.npz",
    log:
        f"{RESULTS}/logs/estimate_group_noise/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/estimate_group_noise/{{dataset}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        particles=particles_settings,
        images=NOISE_IMAGES,
        code=fingerprint("estimate_group_noise"),
    script:
        "../scripts/estimate_group_noise.py"


rule compress_particles:
    input:
        star=lambda wildcards: particles_settings(wildcards)["star"],
        stacks=particle_stacks,
        points=f"{RESULTS}/images/{{dataset}}/points.npz",
        noise=f"{RESULTS}/images/{{dataset}}/group_noise.npz",
    output:
        normal=temp(f"{RESULTS}/images/{{dataset}}/chunks/{{chunk}}.npz"),
    log:
        f"{RESULTS}/logs/compress_particles/{{dataset}}_{{chunk}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compress_particles/{{dataset}}_{{chunk}}.tsv"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        particles=particles_settings,
        chunk_size=chunk_size,
        code=fingerprint("compress_particles"),
    script:
        "../scripts/compress_particles.py"


rule combine_groups:
    input:
        star=lambda wildcards: particles_settings(wildcards)["star"],
        points=f"{RESULTS}/images/{{dataset}}/points.npz",
        chunks=particle_chunks,
    output:
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        intensity=f"{RESULTS}/images/{{dataset}}/intensity.json",
    log:
        f"{RESULTS}/logs/combine_groups/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/combine_groups/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(MEASURED),
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        particles=particles_settings,
        chunk_size=chunk_size,
        code=fingerprint("combine_groups"),
    script:
        "../scripts/combine_groups.py"


rule describe_reconstruction:
    input:
        ensemble=f"{RECONSTRUCTION}/ensemble.cif",
        evidence=f"{RECONSTRUCTION}/evidence.json",
        diagnostics=f"{RECONSTRUCTION}/diagnostics.csv",
        points=f"{RESULTS}/images/{{dataset}}/points.npz",
        card=f"{RESULTS}/priors/{{prior}}/card.json",
        scale=inferred_scale,
    output:
        score=f"{RECONSTRUCTION}/score.csv",
        samples=f"{RECONSTRUCTION}/samples.csv",
    log:
        f"{RESULTS}/logs/describe_reconstruction/{{dataset}}/{{prior}}/{{sampler}}/"
        "alpha{alpha}_scale{scale}_seed{seed}.log",
    benchmark:
        (
            f"{RESULTS}/benchmarks/describe_reconstruction/{{dataset}}/{{prior}}/"
            "{sampler}/alpha{alpha}_scale{scale}_seed{seed}.tsv"
        )
    wildcard_constraints:
        dataset=one_of(WITHOUT_TRUTH),
    threads: 1
    resources:
        mem_mb=memory(1500),
        runtime=minutes(10),
    params:
        labels=score_labels,
        code=fingerprint("describe_reconstruction"),
    script:
        "../scripts/describe_reconstruction.py"
