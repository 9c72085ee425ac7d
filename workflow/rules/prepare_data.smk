# Fetching runs where the network is.
localrules:
    fetch_dataset,


rule fetch_dataset:
    input:
        files_of(fetched),
    output:
        "data/raw/{inside}{dataset}.manifest.json",
    log:
        "logs/{inside}fetch/{dataset}.log",
    params:
        scale=scale_of,
    shell:
        "posetables fetch {wildcards.dataset} --scale {params.scale} 2>&1 | tee {log}"


rule prepare_dataset:
    input:
        files_of(prepared),
    output:
        "data/prepared/{inside}{dataset}/annotations.parquet",
        "data/prepared/{inside}{dataset}/crops.npy",
        "data/prepared/{inside}{dataset}/manifest.json",
    log:
        "logs/{inside}prepare/{dataset}.log",
    resources:
        gpu=needs("data", "gpu"),
        mem_mb=needs("data", "mem_mb"),
        runtime=needs("data", "runtime"),
    params:
        scale=scale_of,
    shell:
        "posetables prepare {wildcards.dataset} --scale {params.scale} 2>&1 | tee {log}"
