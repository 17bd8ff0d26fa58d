rule draw_ctf:
    input:
        truth=f"{DRAWN_IMAGES}/truth.cif",
        star=f"{DRAWN_IMAGES}/particles.star",
        stack=f"{DRAWN_IMAGES}/particles.mrcs",
    output:
        svg=report(
            f"{RESULTS}/figures/ctf.svg",
            caption="../report/ctf.rst",
            category="Images",
            labels={"figure": "CTF and example images"},
        ),
        png=f"{RESULTS}/figures/ctf.png",
        csv=f"{RESULTS}/figures/ctf.csv",
    log:
        f"{RESULTS}/logs/draw_ctf.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_ctf.tsv"
    threads: 1
    resources:
        mem_mb=memory(1500),
        runtime=minutes(5),
    params:
        residue_width=config["datasets"][DRAWN["dataset"]]["residue_width"],
        code=fingerprint("draw_ctf"),
    script:
        "../scripts/draw_ctf.py"


rule draw_collapse:
    input:
        metrics=f"{RESULTS}/metrics.csv",
        samples=DRAWN_SAMPLES,
        traces=expand(f"{RESULTS}/priors/{{prior}}/shrinkage.csv", prior=DRAWN_PRIORS),
        truth=f"{DRAWN_IMAGES}/truth.cif",
        normal=f"{DRAWN_IMAGES}/normal.npz",
        constants=density_constants(DRAWN["dataset"]),
    output:
        svg=report(
            f"{RESULTS}/figures/collapse.svg",
            caption="../report/collapse.rst",
            category="Reconstructions",
            labels={"figure": "three kinds of collapse"},
        ),
        png=f"{RESULTS}/figures/collapse.png",
        csv=f"{RESULTS}/figures/collapse.csv",
    log:
        f"{RESULTS}/logs/draw_collapse.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_collapse.tsv"
    threads: 1
    resources:
        mem_mb=memory(1500),
        runtime=minutes(5),
    params:
        drawn=DRAWN,
        density=density_settings(DRAWN["dataset"]),
        code=fingerprint("draw_collapse"),
    script:
        "../scripts/draw_collapse.py"


rule draw_calibration:
    input:
        metrics=f"{RESULTS}/metrics.csv",
        samples=DRAWN_SAMPLES,
    output:
        svg=report(
            f"{RESULTS}/figures/calibration.svg",
            caption="../report/calibration.rst",
            category="Reconstructions",
            labels={"figure": "error and size against α and λ"},
        ),
        png=f"{RESULTS}/figures/calibration.png",
        csv=f"{RESULTS}/figures/calibration.csv",
    log:
        f"{RESULTS}/logs/draw_calibration.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_calibration.tsv"
    threads: 1
    resources:
        mem_mb=memory(1500),
        runtime=minutes(5),
    params:
        drawn=DRAWN,
        code=fingerprint("draw_calibration"),
    script:
        "../scripts/draw_calibration.py"


rule draw_overlay:
    input:
        truth=f"{DRAWN_IMAGES}/truth.cif",
        ensemble=f"{DRAWN_OVERLAY}/ensemble.cif",
        bound=f"{DRAWN_IMAGES}/crlb.json",
    output:
        svg=report(
            f"{RESULTS}/figures/overlay.svg",
            caption="../report/overlay.rst",
            category="Reconstructions",
            labels={"figure": "samples over the truth"},
        ),
        png=f"{RESULTS}/figures/overlay.png",
        csv=f"{RESULTS}/figures/overlay.csv",
    log:
        f"{RESULTS}/logs/draw_overlay.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_overlay.tsv"
    threads: 1
    resources:
        mem_mb=memory(1500),
        runtime=minutes(5),
    params:
        code=fingerprint("draw_overlay"),
    script:
        "../scripts/draw_overlay.py"


rule draw_images:
    input:
        metrics=f"{RESULTS}/metrics.csv",
    output:
        svg=report(
            f"{RESULTS}/figures/images.svg",
            caption="../report/images.rst",
            category="Reconstructions",
            labels={"figure": "error against the number of images"},
        ),
        png=f"{RESULTS}/figures/images.png",
        csv=f"{RESULTS}/figures/images.csv",
    log:
        f"{RESULTS}/logs/draw_images.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_images.tsv"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(5),
    params:
        studies=IMAGE_STUDIES,
        code=fingerprint("draw_images"),
    script:
        "../scripts/draw_images.py"


rule draw_uncertainty:
    input:
        metrics=f"{RESULTS}/metrics.csv",
        ensembles=[f"{folder}/ensemble.cif" for folder in IMAGE_RECONSTRUCTIONS],
        truths=[f"{RESULTS}/images/{name}/truth.cif" for name in IMAGE_DATASETS],
    output:
        svg=report(
            f"{RESULTS}/figures/uncertainty.svg",
            caption="../report/uncertainty.rst",
            category="Reconstructions",
            labels={"figure": "do error bars mean what they say?"},
        ),
        png=f"{RESULTS}/figures/uncertainty.png",
        csv=f"{RESULTS}/figures/uncertainty.csv",
    log:
        f"{RESULTS}/logs/draw_uncertainty.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_uncertainty.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        studies=IMAGE_STUDIES,
        code=fingerprint("draw_uncertainty"),
    script:
        "../scripts/draw_uncertainty.py"


rule tabulate_metrics:
    input:
        metrics=f"{RESULTS}/metrics.csv",
    output:
        page=report(
            f"{RESULTS}/metrics.html",
            caption="../report/metrics.rst",
            category="Metrics",
            labels={"table": "main columns"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_metrics.tsv"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(5),
    params:
        code=fingerprint("tabulate_metrics"),
    script:
        "../scripts/tabulate_metrics.py"
