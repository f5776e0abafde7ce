#!/usr/bin/env bash
# Everything that is to be checked and measured on a CUDA GPU, by one command.
#
#   scripts/on_card.sh VOC2012 seenet/train/checkpoint.pt seenet/segment/checkpoint.pt [OUT.json]
#
# The tests that want a GPU, then the ratios that networks decide: the stages beside their bare
# networks and beside the GPU's best convolution, decoding beside attending, other tools' maps.
# Needs pip install -e '.[test,bench]'. Prints the table of docs/performance.md with the GPU's name.
set -euo pipefail
usage="usage: $0 VOC2012 CHECKPOINT SEGMENT_CHECKPOINT [OUT.json]"
data=${1:?$usage}
checkpoint=${2:?$usage}
segment_checkpoint=${3:?$usage}
out=${4:-on_card.json}
repository=$(dirname "$0")/..

python -c 'import sys, torch; torch.cuda.is_available() or sys.exit("torch finds no CUDA GPU")'
(cd "$repository" && python -m pytest -m cuda -n 0)
python "$repository/benchmarks/all_ratios.py" "$data" --device cuda --checkpoint "$checkpoint" \
  --segment-checkpoint "$segment_checkpoint" --only train attend segment peers --out "$out"
