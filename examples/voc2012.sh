#!/usr/bin/env bash
# The whole chain on PASCAL VOC 2012, with the paper's schedule.
#
#   examples/voc2012.sh VOC2012 saliency_maps [RUN]
#
# Hardware, time and score: not measured yet on the full schedule (25,000 iterations of attention,
# 16,000 of segmentation: some hours on a recent GPU). Measured on the CPU with a subset and a
# shorter schedule: see voc_mini.sh and docs/results-diary.md.
set -euo pipefail
data=${1:?usage: $0 VOC2012 SALIENCY_DIR [RUN]}
saliency=${2:?usage: $0 VOC2012 SALIENCY_DIR [RUN]}
export WSSS_RUN=${3:-runs/voc2012}

wsss train --data "$data"
wsss attend --flip
wsss evaluate --what attention
wsss proxy --saliency "$saliency"
wsss evaluate --what proxy --baselines
wsss segment --crf largefov
wsss evaluate --baselines
