#!/usr/bin/env bash
# 1000 pairs and unpaired captions against the pairs alone, both from MASS. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh result       result.json and curves.png from the runs that have ended
#   DATA=folder bash run.sh  text that is here already, as in unsupervised_multi30k
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../multi30k.sh"
source "$EXAMPLE/../multi30k_unpaired.sh"
source "$CONFIG"
SCORING=(--tokenized-bleu lowercased) # as Lample et al. 2018 report
SHARED+=("$EXAMPLE/../unsupervised_multi30k/config.sh")

# system PAIR NAME SEED
system() {
    local pair=$1 name=$2 seed=$3 pretraining data direction checkpoint flags=("${PAIRS_ALONE[@]}")
    [ "$name" = pairs ] || flags=("${PAIRS_AND_TEXT[@]}")
    pretrain
    pretraining=$FOLDER
    stage "captions-$pair-$NUMBER" captions "$pair" "$MIXED" "$HALVES" "$TEXT" "$NUMBER"
    data=$FOLDER/data-bin
    stage "$name.$pair.$seed" train "$data" "${MODEL[@]}" "${flags[@]}" "${BOTH[@]}" \
        --directions "$(both "$pair" | tr ' ' ,)" --pretrained-checkpoint "$pretraining/checkpoint_last.pt" --seed "$seed"
    remember_curve "$name.$pair.$seed"
    checkpoint=$FOLDER/checkpoint_best.pt
    for direction in $(both "$pair"); do
        score "$name.$direction.$seed" "$name" "$direction, $NUMBER pairs" "$direction" "$seed" "$checkpoint"
    done
}

main() {
    local pair run names=() curves=() direction
    prepare_unpaired
    for run in "${PLAN[@]}"; do
        for pair in "${PAIRS[@]}"; do
            for direction in $(both "$pair"); do names+=("${run% *}.$direction.${run#* }"); done
            [[ $run != *\ 1 ]] || curves+=("${run% *}.$pair.1")
            [ "${1:-}" = result ] || job system "$pair" $run
        done
    done
    finish_jobs
    write_result "${names[@]}"
    draw_curves bleu "${curves[@]}"
}

main "$@"
exit
