rule train_stage:
    input:
        files_of(trained),
    output:
        "results/{inside}train/{experiment}/seed{seed}/{stage}/weights.safetensors",
        "results/{inside}train/{experiment}/seed{seed}/{stage}/history.csv",
        "results/{inside}train/{experiment}/seed{seed}/{stage}/manifest.json",
    log:
        "logs/{inside}train/{experiment}/seed{seed}/{stage}.log",
    threads: threads_of
    resources:
        cpus_per_task=threads_of,
        gpu=needs("train", "gpu"),
        mem_mb=needs("train", "mem_mb"),
        runtime=needs("train", "runtime"),
    params:
        scale=scale_of,
    shell:
        "posetables train {wildcards.experiment} --stage {wildcards.stage} --seed {wildcards.seed}"
        " --scale {params.scale} --log {log}"
