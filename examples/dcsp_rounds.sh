#!/usr/bin/env bash
# DCSP on PASCAL VOC 2012: attention at three scales, then two rounds of segmentation.
#
#   examples/dcsp_rounds.sh VOC2012 u2netp.onnx [RUN]
#   examples/dcsp_rounds.sh VOC2012 saliency_maps [RUN]
#
# The first line makes saliency maps in two passes, as DCSP does; the second uses existing maps.
# Three runs: RUN/1 makes proxies of attention and saliency and learns from them, RUN/relabel
# predicts the training images again, each with its own labels only, and RUN/2 learns from that.
#
# Hardware, time and score: not measured yet.
set -euo pipefail
usage="usage: $0 VOC2012 SALIENCY_DIR|FILE.onnx [RUN]"
data=${1:?$usage}
saliency=${2:?$usage}
runs=${3:-runs/dcsp}
split=${SPLIT:-train_aug} # SPLIT=train where there is no such list
# Further options, for example: TRAIN="--iterations 1500 --lr-steps 1100" SEGMENT="--crop 225".
# WSSS_WEIGHTS=FILE gives all trainings the same initial weights; MODEL goes with TRAIN's backbone.
model=${MODEL:-deeplab-largefov-vgg16}
read -ra train <<<"${TRAIN:-}"
read -ra segment <<<"${SEGMENT:-}"

wsss train --data "$data" --run "$runs/1" --method cam --split "$split" ${train[@]+"${train[@]}"}
wsss attend --run "$runs/1" --flip --scales 1 --scales 0.75 --scales 0.5
wsss evaluate --run "$runs/1" --what attention
if [[ $saliency == *.onnx ]]; then
  wsss saliency --data "$data" --run "$runs/1" --split "$split" --model "$saliency" --passes 2
  wsss proxy --run "$runs/1" --rule dcsp
else
  wsss proxy --run "$runs/1" --saliency "$saliency" --rule dcsp
fi
wsss evaluate --run "$runs/1" --what proxy --baselines
wsss segment --run "$runs/1" --model "$model" ${segment[@]+"${segment[@]}"}
wsss evaluate --run "$runs/1"

wsss segment --data "$data" --run "$runs/relabel" --split "$split" --restrict-to-labels \
  --checkpoint "$runs/1/segment/checkpoint.pt"
wsss segment --data "$data" --run "$runs/2" --model "$model" --proxy "$runs/relabel/segment/predictions" \
  --train-split "$split" \
  ${segment[@]+"${segment[@]}"}
wsss evaluate --run "$runs/2"
