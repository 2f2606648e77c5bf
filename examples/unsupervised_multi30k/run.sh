#!/usr/bin/env bash
# English-French and German-English without a pair: alignment, MASS and back-translation. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh result       result.json and curves.png from the runs that have ended
#   DATA=folder bash run.sh  text that is here already (train.de or train.de.gz, .., voice.en, voice.fr, voice.de)
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../multi30k.sh"
source "$EXAMPLE/../multi30k_unpaired.sh"
source "$CONFIG"
SCORING=(--tokenized-bleu lowercased) # as Lample et al. 2018 report

# system PAIR NAME SEED
system() {
    local pair=$1 name=$2 seed=$3 pretraining data direction checkpoint
    if [[ $name = aligned+* ]]; then pretrain_aligned; else pretrain; fi
    pretraining=$FOLDER
    stage "captions-$pair" captions "$pair" "$MIXED" "$HALVES" "$TEXT"
    data=$FOLDER/data-bin
    stage "$name.$pair.$seed" train "$data" "${MODEL[@]}" "${BACK_TRANSLATION[@]}" --directions "$(both "$pair" | tr ' ' ,)" \
        --pretrained-checkpoint "$pretraining/checkpoint_last.pt" --seed "$seed" ${SYSTEMS[$name]}
    remember_curve "$name.$pair.$seed"
    checkpoint=$FOLDER/checkpoint_best.pt
    for direction in $(both "$pair"); do
        score "$name.$direction.$seed" "$name" "$direction" "$direction" "$seed" "$checkpoint"
    done
}

main() {
    local pair run names=() curves=() direction name seed only
    prepare_unpaired
    for pair in "${PAIRS[@]}"; do
        for direction in $(both "$pair"); do
            record "copy.$direction" copy "$direction" 0 "$TEXT/test_2016_flickr.${direction%-*}" \
                "$TEXT/test_2016_flickr.${direction#*-}" "${direction#*-}"
            names+=("copy.$direction")
        done
    done
    for run in "${PLAN[@]}"; do
        read -r name seed only <<<"$run"
        for pair in ${only:-"${PAIRS[@]}"}; do
            for direction in $(both "$pair"); do names+=("$name.$direction.$seed"); done
            [ "$seed" != 1 ] || curves+=("$name.$pair.1")
            [ "${1:-}" = result ] || job system "$pair" "$name" "$seed"
        done
    done
    finish_jobs
    write_result "${names[@]}"
    draw_curves bleu,round_trip_bleu "${curves[@]}"
}

main "$@"
exit
