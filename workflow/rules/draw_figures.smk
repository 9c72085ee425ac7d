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
    threads: threads_of
    resources:
        cpus_per_task=threads_of,
        gpu=needs_to_draw("gpu"),
        mem_mb=needs_to_draw("mem_mb"),
        runtime=needs_to_draw("runtime"),
    params:
        scale=scale_of,
    shell:
        "posetables draw {wildcards.item} --scale {params.scale} --log {log}"
