"""The DAG of posetables: `snakemake results/mini/tables/hcrn_table1.csv`, or lite, or (without either) paper scale."""


configfile_free = True


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/testing.smk"
include: "workflow/rules/tables.smk"


rule all:
    input:
        "results/mini/tables/hcrn_table1.csv",
