#!/usr/bin/env bash
# The whole chain on a subset of PASCAL VOC 2012, on a CPU, with a short schedule.
#
#   examples/voc_mini.sh VOC2012 saliency_maps vgg16_features.pth [RUN]
#
# Hardware: two cores of an AMD EPYC with bfloat16, 24 GiB, no GPU. Data: 1,453 training and 506
# validation images of VOC 2012, U2-Net saliency. Time: 140 minutes, the stages added up, with other
# work beside them. Score: attention 35.9 and proxies 54.0 on the training images, segmentation 40.8
# on val (docs/results-diary.md has the details and the baselines).
set -euo pipefail
usage="usage: $0 VOC2012 SALIENCY_DIR VGG16_WEIGHTS [RUN]"
data=${1:?$usage}
saliency=${2:?$usage}
weights=${3:?$usage}
export WSSS_RUN=${4:-runs/voc-mini}

wsss train --data "$data" --weights "$weights" --iterations 1500 --lr-steps 1100 --crop 192 \
  --frozen-blocks 2 --checkpoint-every 100
wsss attend --flip
wsss evaluate --what attention
wsss proxy --saliency "$saliency"
wsss evaluate --what proxy --baselines
# From the attention network's trunk: so few iterations do not get far from ImageNet's weights.
wsss segment --weights "$WSSS_RUN/train/checkpoint.pt" --iterations 1600 --batch-size 10 \
  --crop 193 --scale-low 0.5 --scale-high 1.0 --frozen-blocks 2 --checkpoint-every 100 \
  --scales 1 --no-flip # as the score above; without these two it predicts at more scales
wsss evaluate --baselines
