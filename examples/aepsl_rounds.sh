#!/usr/bin/env bash
# AE-PSL on PASCAL VOC 2012: three rounds of adversarial erasing, then prohibitive segmentation.
#
#   examples/aepsl_rounds.sh VOC2012 saliency_maps [RUN]
#
# Each round is a run, RUN/1 to RUN/3. It erases from the images what the earlier rounds have found, and
# merges its own maps with theirs. The last round continues to the segmentation.
#
# Hardware, time and score: on a short schedule in docs/results-diary.md; the full one is not measured yet.
set -euo pipefail
usage="usage: $0 VOC2012 SALIENCY_DIR [RUN]"
data=${1:?$usage}
saliency=${2:?$usage}
runs=${3:-runs/aepsl}
rounds=3 # as in the paper
# Further options, for example: TRAIN="--iterations 1500 --lr-steps 1100" SEGMENT="--crop 225"
read -ra train <<<"${TRAIN:-}"
read -ra segment <<<"${SEGMENT:-}"

mined=()
for ((round = 1; round <= rounds; round++)); do
  run=$runs/$round
  wsss train --data "$data" --run "$run" --method aepsl ${mined[@]+"${mined[@]}"} ${train[@]+"${train[@]}"}
  wsss attend --run "$run" --flip
  wsss evaluate --run "$run" --what attention
  mined=(--erase "$run/attend/attention.h5")
done
# What is salient but was not mined, or mined twice, is ignored.
wsss proxy --run "$run" --saliency "$saliency" --attention-floor 0 \
  --ignore-conflicts 0.8 --ignore-salient 0.25
wsss evaluate --run "$run" --what proxy --baselines
wsss segment --run "$run" --prohibitive ${segment[@]+"${segment[@]}"}
wsss evaluate --run "$run" --baselines
