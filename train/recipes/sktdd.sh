#!/bin/sh
# A bundle that tells attentive from distracted, from sktDD alone: folds by driver for the figures, then all drivers.
# The default bundle, which also tells by what, is made by default.sh.
#
#     sh train/recipes/sktdd.sh original_sktDD WORK BUNDLE [SEEDS]
#
# Run it again after an interruption: what is finished in WORK is not made again. Within a fold nothing is chosen on its
# drivers: all have the settings of sktdd.yaml, and the last moving average of the weights is the model.
set -eu
here=$(dirname "$0")
data=$1 work=$2 bundle=$3 seeds=${4:-2}
mkdir -p "$work"

[ -e "$work/sktdd.archive" ] || edge-c2vl prepare sktdd "$data" "$work/sktdd.archive"
[ -e "$work/sktdd-views.archive" ] || edge-c2vl prepare sktdd "$data" "$work/sktdd-views.archive" --views

# train RUN OPTION...: begins the run, or goes on with it where it was begun.
train() {
    run=$1
    shift
    if [ -e "$run" ]; then set -- "$@" --resume; fi
    edge-c2vl train finetune "$work/sktdd-views.archive" "$run" --config "$here/sktdd.yaml" "$@"
}

for fold in 0 1 2 3 4 5; do
    train "$work/fold$fold" --split "subject:$fold/6" --seeds "$seeds"
done
edge-c2vl eval sktdd --archive "$work/sktdd.archive" --checkpoint "$work/fold{fold}" --protocol classifier \
    --report "$work/figures"

train "$work/final" --seeds 1
edge-c2vl export "$work/final/seed0" "$bundle" --archive "$work/sktdd-views.archive" --name sktdd \
    --figures "$work/figures/report.json" --licence "$here/sktDD.txt" --overwrite
edge-c2vl quantize "$bundle" --calibration "$work/sktdd.archive" --report "$work/int8"
