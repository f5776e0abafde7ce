#!/usr/bin/env bash
# The same as a SLURM job, a machine for each task:
#
#   sbatch --nodes 2 --gpus-per-node 4 examples/slurm.sh VOC2012 saliency_maps RUN
#
# Two minutes before the time limit SLURM sends SIGTERM: a training ends its step, keeps its state and
# says at which iteration. Requeued after a failure or preemption, or submitted again after the time
# limit, the job goes on from there; and from what is whole in the other stages.
#SBATCH --job-name wsss
#SBATCH --ntasks-per-node 1
#SBATCH --requeue
#SBATCH --signal TERM@120
set -euo pipefail
HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):29500
export HEAD NODES=$SLURM_JOB_NUM_NODES PROCESSES=${SLURM_GPUS_ON_NODE:-1}
srun bash "${WSSS_EXAMPLES:-examples}/multi_node.sh" "$@"
