#!/usr/bin/env bash
# Train on several GPUs, or processes on CPU: tools/dist_train.sh CONFIG PROCESSES [OPTIONS...]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT, as torchrun has them.
set -euo pipefail

CONFIG=${1:?usage: tools/dist_train.sh CONFIG PROCESSES [OPTIONS...]}
PROCESSES=${2:?usage: tools/dist_train.sh CONFIG PROCESSES [OPTIONS...]}
TOOLS=$(cd "$(dirname "$0")" && pwd)

PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --nproc_per_node="$PROCESSES" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    "$TOOLS/train_mmseg.py" "$CONFIG" --launcher pytorch "${@:3}"
