#!/usr/bin/env bash
# The chain on all GPUs of one machine, a process each.
#
#   PROCESSES=4 examples/single_node.sh VOC2012 saliency_maps [RUN]
#
# The batch is the same as in one process, divided; so are its weights, up to rounding. Without
# GPUs, give each process its cores with OMP_NUM_THREADS.
set -euo pipefail
data=${1:?usage: $0 VOC2012 SALIENCY_DIR [RUN]}
saliency=${2:?usage: $0 VOC2012 SALIENCY_DIR [RUN]}
export WSSS_RUN=${3:-runs/voc2012}
shared() { torchrun --standalone --nproc-per-node "${PROCESSES:-2}" -m wsss_cli "$@"; }

# TRAIN and SEGMENT hold further options.
# shellcheck disable=SC2086
shared train --data "$data" ${TRAIN:-}
shared attend --flip
shared proxy --saliency "$saliency"
# shellcheck disable=SC2086
shared segment ${SEGMENT:-}
shared evaluate
