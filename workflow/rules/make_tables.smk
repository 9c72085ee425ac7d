localrules:
    judge_claims,
    tabulate_item,


rule tabulate_item:
    input:
        files_of(tabulated),
    output:
        "results/{inside}tables/{item}.csv",
        "results/{inside}tables/{item}.cells.csv",
        "results/{inside}tables/{item}.json",
        "results/{inside}tables/{item}.manifest.json",
    log:
        "logs/{inside}tabulate/{item}.log",
    params:
        scale=scale_of,
    shell:
        "posetables tabulate {wildcards.item} --scale {params.scale} --log {log}"


rule judge_claims:
    input:
        files_of(judged),
    output:
        "results/{inside}claims/{paper}.csv",
        "results/{inside}claims/{paper}.parts.csv",
        "results/{inside}claims/{paper}.manifest.json",
    log:
        "logs/{inside}claims/{paper}.log",
    params:
        scale=scale_of,
    shell:
        "posetables claims {wildcards.paper} --scale {params.scale} --log {log}"


# Everything of one paper: `--config paper=hcrn scale=mini`; of all papers: `--config paper=all scale=mini`.
rule make_paper:
    input:
        of_config("paper"),
