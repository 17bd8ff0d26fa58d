rule audit_units:
    input:
        published="resources/published/earlier_work.csv",
        structure="resources/structures/1hel.pdb",
    output:
        table=report(
            f"{RESULTS}/audit.csv",
            caption="../report/audit.rst",
            category="Units audit",
            labels={"table": "published numbers in Å"},
        ),
        svg=report(
            f"{RESULTS}/figures/audit.svg",
            caption="../report/audit.rst",
            category="Units audit",
            labels={"figure": "published errors in Å"},
        ),
        png=f"{RESULTS}/figures/audit.png",
        csv=f"{RESULTS}/figures/audit.csv",
    log:
        f"{RESULTS}/logs/audit_units.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit_units.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(5),
    params:
        structure={
            "source": "file",
            "sha256": "",
            "model": 1,
            "chain": "A",
            "altloc": "highest",
        },
        seed=config["seed"],
        code=fingerprint("audit_units"),
    script:
        "../scripts/audit_units.py"
