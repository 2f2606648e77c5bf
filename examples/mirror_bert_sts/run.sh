#!/usr/bin/env bash
# Mirror-BERT for sentences: an encoder of our own before and after, ablations, peers; a real one. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh mlm          text and masked language model alone
#   bash run.sh minilm       the real model alone, before and after
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text and sets that are here already, wherever in the folder
source "$(dirname "$0")/../common.sh"
RECIPE=sts
source "$EXAMPLE/../mirror_bert.sh"
source "$CONFIG"

strings_of() {
    tool strings "$OUT" "$1" --number "$NUMBER"
}

# train_mirror RUN SEED FLAGS...: a stage of Mirror-BERT from the masked language model
train_mirror() {
    local run=$1 seed=$2
    shift 2
    share "${MIRROR[@]}"
    stage "$run" mirror "$MLM" "$MLM/checkpoint_last.pt" --strings "$STRINGS" "${ENCODER[@]}" "${WORDS_SHARED[@]}" \
        --lr "$RATE" --seed "$seed" "$@"
}

# system NAME SEED: from the masked language model by Mirror-BERT
system() {
    local name=$1 seed=$2 run=$RECIPE.${1// /-}.$2
    # shellcheck disable=SC2086
    train_mirror "$run" "$seed" ${SYSTEMS[$name]}
    score "$run" "$FOLDER/checkpoint_last.pt" "$name" "$seed" "$FOLDER/seconds" --pooling mean
}

# rival METHOD SEED: from the same model and strings by sentence-transformers, as long as Mirror-BERT took
rival() {
    local method=$1 seed=$2 run=$RECIPE.$1.$2 seconds
    # shellcheck disable=SC2086
    train_mirror "$RECIPE.mirror.$seed" "$seed" ${SYSTEMS[mirror]}
    seconds=$FOLDER/seconds
    stage export export_encoder "$MLM/checkpoint_last.pt" mean
    # shellcheck disable=SC2086
    stage "$run" peer "$method" "$FOLDER/encoder" "$STRINGS" "$seconds" "$seed" ${PEER_FLAGS[$method]}
    stage "$run.scores" evaluate_peer "$FOLDER/encoder" "$method" "$seed" sentences
    keep_run "$run" "$FOLDER/run.json"
}

main() {
    local name seed runs=("$RECIPE.mlm")
    begin mlm minilm result -- "$@"
    for name in "${ORDER[@]}" "${PEERS[@]}"; do
        for seed in "${SEEDS[@]}"; do runs+=("$RECIPE.${name// /-}.$seed"); done
    done
    # shellcheck disable=SC2207
    runs+=($(minilm_runs))
    if [ "${1:-}" != result ]; then
        stage sets get_files "${PAIRS[@]}" "${WORD_SETS[@]}"
        SETS=$FOLDER
        stage strings-source get_files "stsb-en-train.csv=$STSB/stsb-en-train.csv"
        stage strings strings_of "$FOLDER"
        STRINGS=$FOLDER/strings.txt
        if [ "${1:-}" != mlm ] && [ "${#MINILM_SEEDS[@]}" -gt 0 ]; then minilm; fi
        if [ "${1:-}" != minilm ]; then
            prepare_text
            pretrain
            score "$RECIPE.mlm" "$MLM/checkpoint_last.pt" mlm 1 /dev/null --pooling mean
        fi
        if [ -z "${1:-}" ]; then # a training at a time: their times are compared
            for seed in "${SEEDS[@]}"; do
                for name in "${ORDER[@]}"; do system "$name" "$seed"; done
                for name in "${PEERS[@]}"; do rival "$name" "$seed"; done
            done
        fi
    fi
    write_scores "${runs[@]}"
}

main "$@"
exit
