#!/bin/sh
# The default bundle: two networks in one model. The first learns from simulated drivers and from sktDD, and says, with a
# third from the second one, whether the driver is distracted; the second learns from simulated drivers alone, and says
# by what. All drivers first, then folds by sktDD's drivers for the figures.
#
#     sh train/recipes/default.sh original_sktDD WORK BUNDLE [CLIPS]
#
# Run it again after an interruption: what is finished in WORK is not made again. Within a fold nothing is chosen on its
# drivers: all have the settings of default.yaml, and the last moving average of the weights is the model. Simulated
# clips are in every fold: they show nobody.
set -eu
here=$(dirname "$0")
data=$1 work=$2 bundle=$3 clips=${4:-100000}
mkdir -p "$work"

[ -e "$work/sktdd.archive" ] || edge-c2vl prepare sktdd "$data" "$work/sktdd.archive"
[ -e "$work/sktdd-views.archive" ] || edge-c2vl prepare sktdd "$data" "$work/sktdd-views.archive" --views
[ -e "$work/simulated.archive" ] || edge-c2vl simulate-clips "$work/simulated.archive" --clips "$clips"
[ -e "$work/both.archive" ] || edge-c2vl merge "$work/both.archive" "$work/sktdd-views.archive" \
    "$work/simulated.archive" --group 'distracted=!attentive'

# train ARCHIVE CONFIG RUN OPTION...: begins the run, or goes on with it where it was begun.
train() {
    archive=$1 config=$2 run=$3
    shift 3
    if [ -e "$run" ]; then set -- "$@" --resume; fi
    edge-c2vl train finetune "$work/$archive.archive" "$run" --config "$here/$config.yaml" "$@"
}

# put_together RUN BUNDLE OPTION...: both networks as one.
put_together() {
    run=$1 made=$2
    shift 2
    edge-c2vl export "$run" "$made" --activities "$work/activities" --activities-share 0.33 --both-sides --sharpen 3 \
        --archive "$work/both.archive" --name drivers --distraction '!attentive' --overwrite "$@"
}

train both default "$work/final"
train simulated simulated "$work/activities"

for fold in 0 1 2 3 4 5; do
    train both default "$work/fold$fold" --split "subject:$fold/6"
    put_together "$work/fold$fold" "$work/bundle$fold"
done
edge-c2vl eval sktdd --archive "$work/sktdd.archive" --bundle "$work/bundle{fold}" --precision fp32 --protocol classifier \
    --report "$work/figures"

# How both are put together, the offsets, and the second network's epochs and seed were chosen on half of State Farm's
# drivers and of the lorry recordings: see docs/results.md, and docs/experiments.md (How the default bundle is put
# together).
put_together "$work/final" "$bundle" --offset attentive=0.4 --unseen-offset attentive=4 \
    --offset using_multimedia_display=1.25 --offset talking_on_phone_left=-0.5 --offset talking_on_phone_right=-0.5 \
    --figures "$work/figures/report.json" --licence "$here/sktDD.txt"
edge-c2vl quantize "$bundle" --calibration "$work/both.archive" --no-fp16 --report "$work/int8"
