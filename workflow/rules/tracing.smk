rule train_proposer:
    input:
        chains=config["proposer"]["chains"],
        splits="resources/chains/splits.csv",
        targets="resources/chains/targets.npz",
        held_out="resources/chains/held_out.csv",
        constants="resources/residue_model/constants.json",
    output:
        weights=f"{RESULTS}/proposer/weights.safetensors",
        card=f"{RESULTS}/proposer/card.json",
        curve=f"{RESULTS}/proposer/loss.csv",
    log:
        f"{RESULTS}/logs/train_proposer.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_proposer.tsv"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=config["proposer"],
        seed=config["seed"],
        code=fingerprint("train_proposer"),
    script:
        "../scripts/train_proposer.py"
