# The constants of the residue model, and what they are worth. Neither rule runs by
# default: `snakemake results/residue_model/constants.json` makes the shipped file anew.


rule fit_residue_model:
    input:
        chains="resources/residue_model/training_chains.npz",
    output:
        constants=f"{RESULTS}/residue_model/constants.json",
    log:
        f"{RESULTS}/logs/fit_residue_model.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_residue_model.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(20),
    params:
        compared=60,
        code=fingerprint("fit_residue_model"),
    script:
        "../scripts/fit_residue_model.py"


rule compare_residue_models:
    input:
        structures=expand(
            f"{RESULTS}/structures/{{target}}/structure.cif",
            target=ALL_ATOM,
        ),
        chains="resources/residue_model/held_out_chains.npz",
        constants="resources/residue_model/constants.json",
    output:
        comparison=f"{RESULTS}/residue_model/comparison.csv",
        bias=f"{RESULTS}/residue_model/bias.csv",
    log:
        f"{RESULTS}/logs/compare_residue_models.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_residue_models.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        residue_width=1.5,
        seed=config["seed"],
        code=fingerprint("compare_residue_models"),
    script:
        "../scripts/compare_residue_models.py"
