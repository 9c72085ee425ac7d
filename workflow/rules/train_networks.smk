# Updated, for Snakemake: else it would delete weights that were finished after it had taken their job for lost.
rule train_stage:
    input:
        files_of(trained),
    output:
        update("results/{inside}train/{experiment}/seed{seed}/{stage}/weights.safetensors"),
        update("results/{inside}train/{experiment}/seed{seed}/{stage}/history.csv"),
        update("results/{inside}train/{experiment}/seed{seed}/{stage}/manifest.json"),
    log:
        "logs/{inside}train/{experiment}/seed{seed}/{stage}.log",
    threads: cpus_of("train")
    resources:
        **asks("train"),
        slurm_extra=after_its_twin,
    params:
        scale=scale_of,
        launch=launch_of("train"),
    shell:
        "{params.launch}posetables train {wildcards.experiment} --stage {wildcards.stage} --seed {wildcards.seed}"
        " --scale {params.scale} --log {log}"
