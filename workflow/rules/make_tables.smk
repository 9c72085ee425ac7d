localrules:
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
        "posetables tabulate {wildcards.item} --scale {params.scale} 2>&1 | tee {log}"
