"""A prediction on all processors of a computer, or on a cluster: for Snakemake 9, in an environment of its own.

    snakemake --snakefile predict.smk --config run=my_run images=my_images out=results parts=50 --cores all
    snakemake --snakefile predict.smk --config ... --cores all --resources gpu=1    one part at a time on a GPU
    snakemake --snakefile predict.smk --config ... --profile slurm                  the folder beside this file

Each job is `n2seg predict --part`: it opens every so many images, and strips of OME-Zarr images, and tells no other job.
One that was stopped goes on where it was when it is tried again. More for --config: options="--outlines imagej" for the
command; memory_gb, minutes, cpus and gpus of a job; n2seg="apptainer run --nv n2seg.sif" where it is called otherwise.
"""

import os
import shlex

from snakemake.exceptions import WorkflowError

for name in ("run", "images", "out", "parts"):
    if name not in config:
        raise WorkflowError(f"Say {name}: --config run=RUN images=FOLDER out=FOLDER parts=NUMBER")
if not str(config["parts"]).isdecimal() or not 1 <= int(config["parts"]) <= 900:
    raise WorkflowError(f"parts is {config['parts']}; it must be a whole number from 1 to 900: use for example 50")
OUT, PARTS = str(config["out"]), int(config["parts"])
COMMAND = shlex.join(shlex.split(str(config.get("n2seg") or os.environ.get("N2SEG") or "n2seg"))) + " predict"
OPTIONS = shlex.join(shlex.split(str(config.get("options", ""))))


localrules: all, join


rule all:
    input:
        f"{OUT}/parts/joined_{PARTS}.txt",


rule part:
    output:
        f"{OUT}/parts/{{number}}of{PARTS}.json",
    wildcard_constraints:
        number="[0-9]+",
    params:
        run=str(config["run"]),
        images=str(config["images"]),
        out=OUT,
        parts=PARTS,
    threads: int(config.get("cpus", 2))
    # A job of a cluster is sent again, rather than tried again within itself.
    retries: 0 if workflow.remote_exec else 2
    resources:
        mem_mb=lambda wildcards, attempt: int(1000 * float(config.get("memory_gb", 4)) * (1 + (attempt - 1) / 2)),
        runtime=lambda wildcards, attempt: int(config.get("minutes", 240)) * attempt,
        gpu=int(config.get("gpus", 0)),
    shell:
        "TF_NUM_INTRAOP_THREADS={threads} " + COMMAND + " --run {params.run:q} --images {params.images:q}"
        " --out {params.out:q} --part {wildcards.number}/{params.parts} " + OPTIONS


rule join:
    input:
        expand(f"{OUT}/parts/{{number}}of{PARTS}.json", number=range(1, PARTS + 1)),
    output:
        touch(f"{OUT}/parts/joined_{PARTS}.txt"),
    params:
        out=OUT,
        parts=PARTS,
    shell:
        COMMAND + " --out {params.out:q} --join {params.parts}"
