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
    log:
        "logs/{inside}fetch/{dataset}{part}.log",
    wildcard_constraints:
        part="([.]labels)?",
    params:
        scale=scale_of,
    shell:
        "posetables fetch {wildcards.dataset} --scale {params.scale} --log {log}"


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
        "posetables fetch {wildcards.dataset} --images --scale {params.scale} --log {log}"


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
        "posetables annotate {wildcards.dataset} --scale {params.scale} --log {log}"


rule crop_people:
    input:
        files_of(cropped),
    output:
        "data/prepared/{inside}{dataset}/crops.parquet",
        "data/prepared/{inside}{dataset}/crops.npy",
        "data/prepared/{inside}{dataset}/crops.manifest.json",
    log:
        "logs/{inside}crop/{dataset}.log",
    threads: cpus_of("data")
    resources:
        **asks("data"),
    params:
        scale=scale_of,
    shell:
        "posetables crop {wildcards.dataset} --scale {params.scale} --log {log}"


# A GPU where the detector is a network; boxes of a file, or around joints, cost nothing.
rule detect_people:
    input:
        files_of(detected),
    output:
        "results/{inside}detections/{dataset}-{split}/{detector}.json",
        "results/{inside}detections/{dataset}-{split}/{detector}.parquet",
        "results/{inside}detections/{dataset}-{split}/{detector}.manifest.json",
    log:
        "logs/{inside}detect/{dataset}-{split}/{detector}.log",
    threads: cpus_of("predict")
    resources:
        **asks("predict"),
    params:
        scale=scale_of,
    shell:
        "posetables detect {wildcards.dataset}/{wildcards.split} {wildcards.detector}"
        " --scale {params.scale} --log {log}"


rule crop_boxes:
    input:
        files_of(boxes_cropped),
    output:
        "data/prepared/{inside}boxes/{dataset}-{split}/{detector}/crops.parquet",
        "data/prepared/{inside}boxes/{dataset}-{split}/{detector}/crops.npy",
        "data/prepared/{inside}boxes/{dataset}-{split}/{detector}/crops.manifest.json",
    log:
        "logs/{inside}crop/{dataset}-{split}/{detector}.log",
    threads: cpus_of("data")
    resources:
        **asks("data"),
    params:
        scale=scale_of,
    shell:
        "posetables crop {wildcards.dataset} --boxes {wildcards.split}/{wildcards.detector}"
        " --scale {params.scale} --log {log}"
