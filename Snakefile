"""The DAG of posetables.

snakemake results/mini/tables/hcrn_table1.csv     synthetic people, minutes on a laptop
snakemake results/lite/tables/hcrn_table1.csv     real people, narrow networks
snakemake results/tables/hcrn_table1.csv --profile slurm     the paper's recipe, on a cluster
"""


include: "workflow/rules/common.smk"


rule all:
    default_target: True
    input:
        "results/mini/tables/hcrn_table1.csv",


include: "workflow/rules/prepare_data.smk"
include: "workflow/rules/train_networks.smk"
include: "workflow/rules/test_networks.smk"
include: "workflow/rules/make_tables.smk"
include: "workflow/rules/draw_figures.smk"
