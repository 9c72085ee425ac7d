# Fetching runs where the network is.
localrules:
    fetch_dataset,
    fetch_images,
    annotate_people,


# All but the images of a data set; synthetic people whole.
rule fetch_dataset:
    input:
        files_of(fetched),
    output:
        "data/raw/{inside}{dataset}{part}.manifest.json",
    wildcard_constraints:
        part="([.]labels)?",
    log:
        "logs/{inside}fetch/{dataset}{part}.log",
    params:
        scale=scale_of,
    shell:
        "posetables fetch {wildcards.dataset} --scale {params.scale} 2>&1 | tee {log}"


rule fetch_images:
    input:
        files_of(images_fetched),
    output:
        "data/raw/{inside}{dataset}.images.manifest.json",
    log:
        "logs/{inside}fetch/{dataset}.images.log",
    params:
        scale=scale_of,
    shell:
        "posetables fetch {wildcards.dataset} --images --scale {params.scale} 2>&1 | tee {log}"


rule annotate_people:
    input:
        files_of(annotated),
    output:
        "data/prepared/{inside}{dataset}/people.parquet",
        "data/prepared/{inside}{dataset}/frames.parquet",
        "data/prepared/{inside}{dataset}/people.manifest.json",
    log:
        "logs/{inside}annotate/{dataset}.log",
    params:
        scale=scale_of,
    shell:
        "posetables annotate {wildcards.dataset} --scale {params.scale} 2>&1 | tee {log}"


rule crop_people:
    input:
        files_of(cropped),
    output:
        "data/prepared/{inside}{dataset}/crops.parquet",
        "data/prepared/{inside}{dataset}/crops.npy",
        "data/prepared/{inside}{dataset}/crops.manifest.json",
    log:
        "logs/{inside}crop/{dataset}.log",
    resources:
        gpu=needs("data", "gpu"),
        mem_mb=needs("data", "mem_mb"),
        runtime=needs("data", "runtime"),
    params:
        scale=scale_of,
    shell:
        "posetables crop {wildcards.dataset} --scale {params.scale} 2>&1 | tee {log}"
