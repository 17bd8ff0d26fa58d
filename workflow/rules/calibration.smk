# Asked for by the name of their files only: a quarter of an hour, and no data of a run
# enter.
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
        settings={"residues": 32, "problems": 500, "samples": 39},
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


# Hundreds of tracings: hours for a small chain.
rule judge_images:
    input:
        unpack(search_files),
        normal=f"{RESULTS}/images/{{dataset}}/normal.npz",
        truth=f"{RESULTS}/images/{{dataset}}/truth.cif",
    output:
        verdicts=f"{RESULTS}/verdicts/{{dataset}}.csv",
    log:
        f"{RESULTS}/logs/judge_images/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge_images/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of([name for name in BEADED if name in SIMULATED]),
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(480),
    params:
        beads=config["tracing"]["beads"],
        search=search_settings(),
        residue_width=lambda wildcards: config["datasets"][wildcards.dataset][
            "residue_width"
        ],
        # What is not as expected is searched for, and mended, a hundred times as long.
        sets={"noise": 100, "whole": 100, "domain_missing": 10, "wrong_sequence": 10},
        seed=config["seed"],
        code=fingerprint("judge_images"),
    script:
        "../scripts/judge_images.py"
