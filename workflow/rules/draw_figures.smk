localrules:
    draw_figure,


rule draw_figure:
    input:
        files_of(drawn),
    output:
        "results/{inside}figures/{item}.svg",
        "results/{inside}figures/{item}.csv",
        "results/{inside}figures/{item}.manifest.json",
    log:
        "logs/{inside}draw/{item}.log",
    params:
        scale=scale_of,
    shell:
        "posetables draw {wildcards.item} --scale {params.scale} 2>&1 | tee {log}"
