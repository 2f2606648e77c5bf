#!/usr/bin/env bash
# What MASS's span is worth: its length, scattered tokens instead, the whole sentence in the decoder. See README.md.
#
#   bash run.sh                      everything; go on after an interruption with the same command
#   bash run.sh result               result.json and ablation.png from the runs that have ended
#   DATA=folder bash run.sh          text that is here already
#   VARIANTS_TO_RUN=all bash run.sh  all span ratios, also without a GPU
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../multi30k.sh"
source "$CONFIG"

# variant NAME RATIO SEED
variant() {
    local name=$1 ratio=$2 seed=$3
    stage "pretraining.$name.$ratio" train "$ALL" "${MODEL[@]}" "${PRETRAINING[@]}" ${VARIANTS["$name $ratio"]}
    fine_tune "$name.$ratio.$seed" "$name" "span ratio $ratio" "$DIRECTION" "$PAIRS" "$UPDATES" "$seed" \
        --pretrained-checkpoint "$FOLDER/checkpoint_last.pt"
}

main() {
    local names=("${SHORT[@]}") name seed runs=()
    if [ "$GPU" = 1 ] || [ "${VARIANTS_TO_RUN:-}" = all ]; then names=("${!VARIANTS[@]}"); fi
    prepare_multi30k
    [ "${1:-}" = result ] || rm -f runs/*.tsv
    for seed in "${SEEDS[@]}"; do
        for name in "${names[@]}"; do
            runs+=("${name/ /.}.$seed")
            [ "${1:-}" = result ] || job variant $name "$seed"
        done
    done
    finish_jobs
    write_result "${runs[@]}"
    python "$EXAMPLE/plot.py" result.json ablation.png
    [ "$CONFIG" != "$EXAMPLE/config.sh" ] || cp ablation.png "$EXAMPLE/ablation.png"
}

main "$@"
exit
