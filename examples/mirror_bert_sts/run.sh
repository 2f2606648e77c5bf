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

# train_rival METHOD SEED: from the same model and strings by sentence-transformers, as long as Mirror-BERT took
train_rival() {
    local method=$1 seed=$2 seconds
    train_system mirror "$seed"
    seconds=$FOLDER/seconds
    stage export export_encoder "$MLM/checkpoint_last.pt" mean
    # shellcheck disable=SC2086
    stage "$RECIPE.$method.$seed" peer "$method" "$FOLDER/encoder" "$STRINGS" "$seconds" "$seed" ${PEER_FLAGS[$method]}
}

# rival METHOD SEED: train_rival and its scores
rival() {
    local run=$RECIPE.$1.$2
    train_rival "$@"
    stage "$run.scores" evaluate_peer "$SETS" "$FOLDER/encoder" "$@" sentences
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
        get_sets
        stage strings-source get_files "stsb-en-train.csv=$STSB/stsb-en-train.csv"
        stage strings strings_of "$FOLDER"
        STRINGS=$FOLDER/strings.txt
        if [ "${1:-}" != mlm ]; then minilm; fi
        if [ "${1:-}" != minilm ]; then
            prepare_text
            job pretrain # beside the real model
            finish_jobs
            pretrain
            score "$RECIPE.mlm" "$MLM/checkpoint_last.pt" mlm 1 /dev/null --pooling mean
        fi
        if [ -z "${1:-}" ]; then
            # first those whose times are compared, JOBS at a time as the rest: while one is trained, no core is idle
            for name in "${TIMED[@]}"; do
                for seed in "${SEEDS[@]}"; do job train_system "$name" "$seed"; done
            done
            for seed in "${SEEDS[@]}"; do
                for name in "${PEERS[@]}"; do job train_rival "$name" "$seed"; done
            done
            for seed in "${SEEDS[@]}"; do
                for name in "${ORDER[@]}"; do job system "$name" "$seed" --pooling mean; done
                for name in "${PEERS[@]}"; do job rival "$name" "$seed"; done
            done
        fi
        finish_jobs
    fi
    write_scores "${runs[@]}"
}

main "$@"
exit
