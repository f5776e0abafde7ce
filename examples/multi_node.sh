#!/usr/bin/env bash
# The same on several machines that share a file system: start it on each, with the same arguments.
#
#   NODES=2 HEAD=node-1:29500 PROCESSES=4 examples/multi_node.sh VOC2012 saliency_maps RUN
#
# RUN and the data must be on the shared file system. If a machine fails, all stop; run the script again,
# with any number of machines, and every stage resumes.
set -euo pipefail
# Asked to end, the shell waits for what it started, which keeps its state first.
trap 'exit 143' TERM
data=${1:?usage: $0 VOC2012 SALIENCY_DIR RUN}
saliency=${2:?usage: $0 VOC2012 SALIENCY_DIR RUN}
export WSSS_RUN=${3:?usage: $0 VOC2012 SALIENCY_DIR RUN}
shared() {
  torchrun --nnodes "${NODES:?how many machines}" --nproc-per-node "${PROCESSES:-1}" \
    --rdzv-backend c10d --rdzv-endpoint "${HEAD:?host:port of the first machine}" \
    --rdzv-id "wsss-$1" -m wsss_cli "$@"
}

# TRAIN and SEGMENT hold further options.
# shellcheck disable=SC2086
shared train --data "$data" ${TRAIN:-}
shared attend --flip
shared proxy --saliency "$saliency"
# shellcheck disable=SC2086
shared segment ${SEGMENT:-}
shared evaluate
