# Not local: the heatmaps of a figure are made by running a network over everybody.
rule draw_figure:
    input:
        files_of(drawn),
    output:
        "results/{inside}figures/{item}.svg",
        "results/{inside}figures/{item}.csv",
        "results/{inside}figures/{item}.manifest.json",
    log:
        "logs/{inside}draw/{item}.log",
    threads: cpus_of(drawing)
    resources:
        **asks(drawing),
    params:
        scale=scale_of,
    shell:
        "posetables draw {wildcards.item} --scale {params.scale} --log {log}"
