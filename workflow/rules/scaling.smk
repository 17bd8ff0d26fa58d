# What data, width and compute are worth to a generalist prior.

SCALING = f"{RESULTS}/figures/prior_scaling"


rule draw_scaling:
    input:
        cards=expand(
            f"{RESULTS}/priors/{{prior}}/card.json", prior=config["scaling_priors"]
        ),
        denoising=expand(
            f"{RESULTS}/priors/{{prior}}/denoising.csv", prior=config["scaling_priors"]
        ),
        curves=expand(
            f"{RESULTS}/priors/{{prior}}/loss.csv", prior=config["scaling_priors"]
        ),
    output:
        svg=report(
            f"{SCALING}.svg",
            caption="../report/prior_scaling.rst",
            category="Priors",
            labels={"figure": "scaling of the generalist prior"},
        ),
        png=f"{SCALING}.png",
        csv=f"{SCALING}.csv",
    log:
        f"{RESULTS}/logs/draw_scaling.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_scaling.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        priors=config["scaling_priors"],
        noise_level=2.0,
        code=fingerprint("draw_scaling"),
    script:
        "../scripts/draw_scaling.py"
