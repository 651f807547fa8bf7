#!/usr/bin/env bash
# Train on a Slurm cluster: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [OPTIONS...]
# Environment: GPUS, GPUS_PER_NODE, CPUS_PER_TASK, and SRUN_ARGS with further options of srun.
set -euo pipefail

USAGE='usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [OPTIONS...]'
PARTITION=${1:?$USAGE}
JOB_NAME=${2:?$USAGE}
CONFIG=${3:?$USAGE}
GPUS=${GPUS:-1}
GPUS_PER_NODE=${GPUS_PER_NODE:-$GPUS}
TOOLS=$(cd "$(dirname "$0")" && pwd)

# SRUN_ARGS is several words.
# shellcheck disable=SC2086
PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" srun \
    --partition="$PARTITION" \
    --job-name="$JOB_NAME" \
    --gres="gpu:$GPUS_PER_NODE" \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$TOOLS/train_mmseg.py" "$CONFIG" --launcher slurm "${@:4}"
