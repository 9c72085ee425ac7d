localrules:
    adopt_predictions,
    submit_joints,
    submit_poses,


rule calibrate_thresholds:
    input:
        files_of(calibrated),
    output:
        "results/{inside}predictions/{experiment}/seed{seed}/{protocol}.thresholds.json",
        "results/{inside}predictions/{experiment}/seed{seed}/{protocol}.thresholds.manifest.json",
    log:
        "logs/{inside}calibrate/{experiment}/seed{seed}/{protocol}.log",
    threads: cpus_of("predict")
    resources:
        **asks("predict"),
    params:
        scale=scale_of,
    shell:
        "posetables calibrate {wildcards.experiment} --protocol {wildcards.protocol}"
        " --seed {wildcards.seed} --scale {params.scale} --log {log}"


# A prediction and its score are one job of a cluster: scoring takes seconds, a job of its own a minute of waiting.
rule predict_people:
    input:
        files_of(predicted),
    output:
        "results/{inside}predictions/{experiment}/seed{seed}/{protocol}.parquet",
        "results/{inside}predictions/{experiment}/seed{seed}/{protocol}.manifest.json",
    log:
        "logs/{inside}predict/{experiment}/seed{seed}/{protocol}.log",
    wildcard_constraints:
        experiment=f"(?!released/){EXPERIMENT}",
    group:
        "test"
    threads: cpus_of("predict")
    resources:
        **asks("predict"),
    params:
        scale=scale_of,
    shell:
        "posetables predict {wildcards.experiment} --protocol {wildcards.protocol}"
        " --seed {wildcards.seed} --scale {params.scale} --log {log}"


rule adopt_predictions:
    input:
        files_of(adopted),
    output:
        "results/{inside}predictions/released/{setup}/{method}/seed0/published.parquet",
        "results/{inside}predictions/released/{setup}/{method}/seed0/published.manifest.json",
    log:
        "logs/{inside}adopt/{setup}/{method}.log",
    params:
        scale=scale_of,
    shell:
        "posetables adopt released/{wildcards.setup}/{wildcards.method} --scale {params.scale} --log {log}"


rule score_predictions:
    input:
        files_of(scored),
    output:
        "results/{inside}scores/{experiment}/seed{seed}/{protocol}.json",
        "results/{inside}scores/{experiment}/seed{seed}/{protocol}.hits.parquet",
        "results/{inside}scores/{experiment}/seed{seed}/{protocol}.manifest.json",
    log:
        "logs/{inside}score/{experiment}/seed{seed}/{protocol}.log",
    group:
        "test"
    params:
        scale=scale_of,
    shell:
        "posetables score {wildcards.experiment} --protocol {wildcards.protocol}"
        " --seed {wildcards.seed} --scale {params.scale} --log {log}"


# What the server of a benchmark takes. The manifest is not declared: it would be an output of both rules.
rule submit_poses:
    input:
        files_of(submitted),
    output:
        "results/{inside}submissions/{experiment}/seed{seed}/{protocol}.json",
    log:
        "logs/{inside}submit/{experiment}/seed{seed}/{protocol}.log",
    params:
        scale=scale_of,
    shell:
        "posetables submit {wildcards.experiment} --protocol {wildcards.protocol}"
        " --seed {wildcards.seed} --scale {params.scale} --log {log}"


use rule submit_poses as submit_joints with:
    output:
        "results/{inside}submissions/{experiment}/seed{seed}/{protocol}.mat",


# A time is only worth something if nothing else runs: the rule takes every core.
rule measure_network:
    input:
        files_of(measured),
    output:
        "results/{inside}scores/{experiment}/cost.json",
        "results/{inside}scores/{experiment}/cost.manifest.json",
    log:
        "logs/{inside}measure/{experiment}.log",
    group:
        "time"
    threads: workflow.cores
    resources:
        **asks("measure"),
        slurm_extra="--exclusive",
    params:
        scale=scale_of,
    shell:
        "posetables measure {wildcards.experiment} --scale {params.scale} --log {log}"


rule time_test:
    input:
        files_of(timed),
    output:
        "results/{inside}scores/{experiment}/{protocol}.speed.json",
        "results/{inside}scores/{experiment}/{protocol}.speed.manifest.json",
    log:
        "logs/{inside}speed/{experiment}/{protocol}.log",
    group:
        "time"
    threads: workflow.cores
    resources:
        **asks("measure"),
        slurm_extra="--exclusive",
    params:
        scale=scale_of,
    shell:
        "posetables speed {wildcards.experiment} --protocol {wildcards.protocol}" " --scale {params.scale} --log {log}"


# Every file of the experiments of one setup, for whoever keeps all of them: `--config setup=hcrn/lsp-pc scale=mini`.
rule make_experiments:
    input:
        of_config("setup"),
