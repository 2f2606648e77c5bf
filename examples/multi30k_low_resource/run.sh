#!/usr/bin/env bash
# Multi30k with few pairs: from scratch, from MASS, from denoising pre-training. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh pretrain     the pre-trainings alone
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text that is here already (train.de or train.de.gz, val.*, test_2016_flickr.*)
source "$(dirname "$0")/../common.sh"
source "$CONFIG"

get_text() {
    local checksum file
    while read -r checksum file; do
        [ -z "$file" ] || fetch "$checksum" "$ADDRESS/$file.gz" "$file"
    done <<<"$CHECKSUMS"
}

# pairs DIRECTION NUMBER: a data-bin of the first NUMBER pairs, with the vocabulary of pre-training.
pairs() {
    local direction=$1 number=$2 language
    for language in "${direction%-*}" "${direction#*-}"; do
        head -n "$number" "$TEXT/train.$language" >"$OUT/train.$language"
    done
    prepare --like "$ALL" --parallel "$direction=$OUT/train" --valid-parallel "$direction=$TEXT/val"
}

pretrain() {
    stage "pretraining.$1" train "$ALL" "${MODEL[@]}" "${PRETRAINING[@]}" ${OBJECTIVE[$1]}
}

# system NAME DIRECTION PAIRS SEED: fine-tune, translate the test set, record it.
system() {
    local name=$1 direction=$2 number=$3 seed=$4 start=() every
    local run="$name.$direction.$number.$seed" source=${direction%-*} target=${direction#*-}
    stage "pairs-$direction-$number" pairs "$direction" "$number"
    local data=$FOLDER/data-bin
    if [ "$name" != scratch ]; then
        pretrain "$name"
        start=(--pretrained-checkpoint "$FOLDER/checkpoint_last.pt")
    fi
    every=$((UPDATES[$number] / 5))
    stage "$run" train "$data" "${MODEL[@]}" "${FINE_TUNING[@]}" --directions "$direction" --seed "$seed" \
        --max-update "${UPDATES[$number]}" --validate-interval 1000 --validate-interval-updates "$every" \
        --save-interval 1000 --save-interval-updates "$every" ${start[@]+"${start[@]}"}
    stage "$run.test" translate "$FOLDER/checkpoint_best.pt" "$source" "$target" \
        "$TEXT/test_2016_flickr.$source" --beam "$BEAM"
    record "$run" "$name" "$direction, $number pairs" "$seed" "$FOLDER/translation.txt" \
        "$TEXT/test_2016_flickr.$target"
}

# plan PAIRS SEED...: adds "NAME DIRECTION PAIRS SEED" to NAMES.
plan() {
    local direction number=$1 seed name
    shift
    for seed; do
        for name in scratch mass denoising; do
            for direction in ${DIRECTIONS[$number]}; do NAMES+=("$name $direction $number $seed"); done
        done
    done
}

main() {
    local runs name
    stage text get_text
    TEXT=$FOLDER

    stage data-all prepare --vocab-size "$VOCABULARY" --mono de="$TEXT/train.de" en="$TEXT/train.en" fr="$TEXT/train.fr" \
        --valid-mono de="$TEXT/val.de" en="$TEXT/val.en" fr="$TEXT/val.fr" --parallel {de-en,en-fr}="$TEXT/train" \
        --valid-parallel {de-en,en-fr}="$TEXT/val"
    ALL=$FOLDER/data-bin

    NAMES=()
    for runs in "${PLAN[@]}"; do plan $runs; done

    if [ "${1:-}" != result ]; then
        rm -f runs/*.tsv # of an earlier configuration, maybe; runs that are done are recorded again
        job pretrain mass
        job pretrain denoising
        [ "${1:-}" != pretrain ] || { finish_jobs; exit; }
        for name in "${NAMES[@]}"; do job system $name; done
        finish_jobs
    fi
    write_result "${NAMES[@]// /.}"
}

main "$@"
exit
