# Asked for by the name of their files only: some minutes, and no data of a run enter.
rule calibrate_samplers:
    output:
        table=f"{RESULTS}/calibration.csv",
    log:
        f"{RESULTS}/logs/calibrate_samplers.log",
    benchmark:
        f"{RESULTS}/benchmarks/calibrate_samplers.tsv"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        settings={"problems": 500, "samples": 39},
        seed=config["seed"],
        code=fingerprint("calibrate_samplers"),
    script:
        "../scripts/calibrate_samplers.py"


rule draw_coverage:
    input:
        table=f"{RESULTS}/calibration.csv",
    output:
        svg=report(
            f"{RESULTS}/figures/coverage.svg",
            caption="../report/coverage.rst",
            category="Calibration",
            labels={"figure": "coverage of credible regions"},
        ),
        png=f"{RESULTS}/figures/coverage.png",
        csv=f"{RESULTS}/figures/coverage.csv",
    log:
        f"{RESULTS}/logs/draw_coverage.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_coverage.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        code=fingerprint("draw_coverage"),
    script:
        "../scripts/draw_coverage.py"
