#!/usr/bin/env bash
# MASS, denoising, and BERT with a language model, each fine-tuned on 1000 pairs and on none. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text that is here already, as in unsupervised_multi30k
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../multi30k.sh"
source "$EXAMPLE/../multi30k_unpaired.sh"
source "$CONFIG"
[ "$PROCESSES" -eq 1 ] || die "PROCESSES=$PROCESSES is not for this recipe, whose pre-trainings run beside each other: set JOBS"

pretrain_by() {
    stage vectors align "$MIXED" "${ALIGNMENT[@]}"
    stage "pretraining.$1" train "$MIXED" "${MODEL[@]}" "${PRETRAINING[@]}" ${OBJECTIVE[$1]} \
        --pretrained-embeddings "$FOLDER/vectors.txt"
}

# with_pairs NAME SEED
with_pairs() {
    pretrain_by "$1"
    fine_tune "$1.$DIRECTION.$NUMBER.$2" "$1" "$DIRECTION, $NUMBER pairs" "$DIRECTION" "$NUMBER" "$UPDATES" "$2" \
        --pretrained-checkpoint "$FOLDER/checkpoint_last.pt"
}

# without_pairs NAME SEED
without_pairs() {
    local name=$1 seed=$2 start data direction checkpoint
    pretrain_by "$name"
    start=$FOLDER/checkpoint_last.pt
    stage "captions-$PAIR" captions "$PAIR" "$MIXED" "$HALVES" "$TEXT"
    data=$FOLDER/data-bin
    stage "$name.$PAIR.$seed" train "$data" "${MODEL[@]}" "${BACK_TRANSLATION[@]}" \
        --directions "$(both "$PAIR" | tr ' ' ,)" --pretrained-checkpoint "$start" --seed "$seed"
    checkpoint=$FOLDER/checkpoint_best.pt
    for direction in $(both "$PAIR"); do
        score "$name.$direction.$seed" "$name" "$direction, no pairs" "$direction" "$seed" "$checkpoint"
    done
}

main() {
    local name seed direction names=() runs=()
    prepare_unpaired
    ALL=$MIXED # whose vocabulary the pairs take
    for name in "${SYSTEMS[@]}"; do
        for seed in "${SEEDS[@]}"; do
            runs+=("with_pairs $name $seed")
            names+=("$name.$DIRECTION.$NUMBER.$seed")
        done
        for seed in "${UNPAIRED_SEEDS[@]}"; do
            runs+=("without_pairs $name $seed")
            for direction in $(both "$PAIR"); do names+=("$name.$direction.$seed"); done
        done
    done
    if [ "${1:-}" != result ]; then
        for name in "${SYSTEMS[@]}"; do job pretrain_by "$name"; done
        for name in "${runs[@]}"; do job $name; done
        finish_jobs
    fi
    write_result "${names[@]}"
}

main "$@"
exit
