#!/usr/bin/env bash
# Multi30k with few pairs: from scratch, from MASS, from denoising pre-training. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh pretrain     the pre-trainings alone
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text that is here already (train.de or train.de.gz, val.*, test_2016_flickr.*)
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../multi30k.sh"
source "$CONFIG"

pretrain() {
    stage "pretraining.$1" train "$ALL" "${MODEL[@]}" "${PRETRAINING[@]}" ${OBJECTIVE[$1]}
}

# system NAME DIRECTION PAIRS SEED
system() {
    local name=$1 direction=$2 number=$3 seed=$4 start=()
    if [ "$name" != scratch ]; then
        pretrain "$name"
        start=(--pretrained-checkpoint "$FOLDER/checkpoint_last.pt")
    fi
    fine_tune "$name.$direction.$number.$seed" "$name" "$direction, $number pairs" "$direction" "$number" \
        "${UPDATES[$number]}" "$seed" ${start[@]+"${start[@]}"}
}

# plan NAME PAIRS SEED...: adds "NAME DIRECTION PAIRS SEED" to NAMES.
plan() {
    local direction seed name=$1 number=$2
    shift 2
    for seed; do
        for direction in ${DIRECTIONS[$number]}; do NAMES+=("$name $direction $number $seed"); done
    done
}

main() {
    local runs name
    prepare_multi30k
    NAMES=()
    for name in scratch mass denoising; do # what needs no pre-training first
        for runs in "${PLAN[@]}"; do plan "$name" $runs; done
    done
    NAMES+=(${EXTRA[@]+"${EXTRA[@]}"})

    if [ "${1:-}" != result ]; then
        job pretrain mass
        job pretrain denoising
        [ "${1:-}" != pretrain ] || { finish_jobs; exit; }
        rm -f runs/*.tsv # of an earlier configuration, maybe; runs that are done are recorded again
        for name in "${NAMES[@]}"; do job system $name; done
        finish_jobs
    fi
    write_result "${NAMES[@]// /.}"
}

main "$@"
exit
