#!/bin/bash
#SBATCH --job-name=n2seg
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=n2seg_%A_%a.log
# Train on a cluster; a job whose time is up goes on by itself where it was.
#
#     sbatch slurm_train.sh denoise settings.yaml                           one training
#     sbatch --array=1-3 slurm_train.sh segment a.yaml b.yaml c.yaml        one job for each file
#
# Each file names its images and run, as a form or an earlier run wrote it. For a container, before that:
#     export N2SEG="apptainer run --nv n2seg.sif"
set -u
workflow=$1
shift
settings=(_ "$@") # counted from 1, like the jobs of an array
file=${settings[${SLURM_ARRAY_TASK_ID:-1}]}

# Slurm tells the step two minutes before the end (--signal); the training then keeps where it is. --resume goes on.
launcher=$(command -v srun || true)
# shellcheck disable=SC2086  # N2SEG may be several words
$launcher ${N2SEG:-n2seg} train "$workflow" --config "$file" --resume &
step=$!
trap 'kill -TERM "$step" 2>/dev/null' TERM # without srun
wait "$step"
status=$?
if kill -0 "$step" 2>/dev/null; then # the wait was cut short by the signal
    wait "$step"
    status=$?
fi
if [ "$status" -eq 143 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
