#!/usr/bin/env bash
# A second round of segmentation: the first network labels the training images, each with its own
# labels only, and another one learns from that.
#
#   examples/second_round.sh VOC2012 RUN
#
# RUN must have a finished `wsss segment`. This makes two more runs, RUN-relabelled and RUN-second.
# Compare the score of the new labels with that of the proxies: it says whether the round is worth it.
#
# Hardware, time and score: on a short schedule in docs/results-diary.md, where the second network was worse
# (39.7 against 40.8 mIoU) though its labels were better, and why. Look at the confusion matrices first.
set -euo pipefail
usage="usage: $0 VOC2012 RUN"
data=${1:?$usage}
run=${2:?$usage}
split=${SPLIT:-train_aug} # SPLIT=train where there is no such list
model=${MODEL:-deeplab-largefov-vgg16}
# Options of the second training, for example: SEGMENT="--crop 225 --iterations 4000"
read -ra segment <<<"${SEGMENT:-}"

wsss segment --data "$data" --run "$run-relabelled" --checkpoint "$run/segment/checkpoint.pt" \
  --split "$split" --restrict-to-labels --crf largefov
wsss evaluate --run "$run-relabelled"
wsss segment --data "$data" --run "$run-second" --model "$model" \
  --proxy "$run-relabelled/segment/predictions" --train-split "$split" --crf largefov \
  ${segment[@]+"${segment[@]}"}
wsss evaluate --run "$run-second"
