#!/usr/bin/env bash
# XLM-R, pre-trained further by MSM on 108 languages, fine-tuned on English, tested on others. See README.md.
#
#   XLMR=folder bash run.sh            everything; go on after an interruption with the same command
#   XLMR=folder bash run.sh text       downloads and preparation alone
#   XLMR=folder bash run.sh result     result.json from the runs that have ended
#   MRTYDI=folder XOR=folder ...       test on these, too; README.md says which files they hold
INVOKED=$PWD
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../large.sh"
source "$CONFIG"
SHARED+=("$EXAMPLE/../crawl_text.py")
XLMR=$(cd "$INVOKED" && realpath "$XLMR")
MRTYDI=${MRTYDI:+$(cd "$INVOKED" && realpath "$MRTYDI")}
XOR=${XOR:+$(cd "$INVOKED" && realpath "$XOR")}
count_processes "$GPUS_OF_A_BATCH" "$BATCH_OF_QUESTIONS"

import_xlmr() { plugin import huggingface-encoder "$XLMR" --destdir "$OUT/model"; }

cut_text() { python "$EXAMPLE/../crawl_text.py" documents "$1" "$2" "$OUT/documents.txt.gz"; }

get_questions() { python "$EXAMPLE/../crawl_text.py" questions "$1" "$OUT/groups.jsonl"; }

# binarize LANGUAGE TEXT MODEL: the same text as lines, $OUT/data-bin
binarize() {
    python "$ROOT/preprocess/prepare_encoder.py" --like "$3" --mono "$1=$2" --destdir "$OUT/data-bin" --overwrite
}

# make_documents LANGUAGE TEXT MODEL FLAG...: $OUT/data-bin
make_documents() {
    python "$ROOT/preprocess/prepare_documents.py" --like "$3" --documents "$1=$2" "${@:4}" \
        --destdir "$OUT/data-bin" --overwrite
}

# join_languages FOLDER...: one folder $OUT/data-bin with links to the files of all
join_languages() {
    local folder file
    rm -rf "$OUT/data-bin"
    mkdir "$OUT/data-bin"
    for folder; do
        for file in "$folder"/data-bin/*; do ln -sf "$(realpath "$file")" "$OUT/data-bin/"; done
    done
}

# prepare_language LANGUAGE: LINES_FOLDER and UNITS_FOLDER
prepare_language() {
    local language=$1 text
    get "$CRAWL/${FILE_OF[$language]:-$language}.txt.xz"
    stage "text.$language" cut_text "$FILE" "$MOST_LINES"
    text=$FOLDER/documents.txt.gz
    stage "lines.$language" binarize "$language" "$text" "$MODEL"
    LINES_FOLDER=$FOLDER
    stage "units.$language" make_documents "$language" "$text" "$MODEL" "${DOCUMENTS[@]}"
    UNITS_FOLDER=$FOLDER
}

prepare_text() {
    local language lines=() units=()
    for language in "${LANGUAGES[@]}"; do job prepare_language "$language"; done
    finish_jobs
    for language in "${LANGUAGES[@]}"; do
        prepare_language "$language"
        lines+=("$LINES_FOLDER") units+=("$UNITS_FOLDER")
    done
    stage lines join_languages "${lines[@]}"
    ALL=$FOLDER/data-bin
    stage units join_languages "${units[@]}"
    UNITS=$FOLDER/data-bin
    get "$QUESTIONS"
    stage questions get_questions "$FILE"
    GROUPS_FILE=$FOLDER/groups.jsonl
}

# get_tests: PAIRS and XQUAD_FILES, as the commands take them
get_tests() {
    local language code
    PAIRS=() XQUAD_FILES=()
    for code in "${TATOEBA_LANGUAGES[@]}"; do
        get "$TATOEBA/tatoeba.$code-eng.$code"
        PAIRS+=("$code=$FILE")
        get "$TATOEBA/tatoeba.$code-eng.eng"
        PAIRS[-1]+=",$FILE"
    done
    for language in "${XQUAD_LANGUAGES[@]}"; do
        get "$XQUAD/$language.json"
        XQUAD_FILES+=("$language=$FILE")
    done
}

evaluate_tatoeba() { plugin evaluate tatoeba "$1" --pooling "$2" --pairs "${@:3}" --json "$OUT/scores.json"; }

evaluate_lareqa() { plugin evaluate lareqa "$1" --pooling "$2" --xquad "${@:3}" --json "$OUT/scores.json"; }

# first_of FILE...: the first that there is
first_of() {
    local file
    for file; do [ ! -e "$file" ] || { echo "$file"; return; }; done
    echo "error: none of these files is there: $*" >&2
    return 1
}

# rank CHECKPOINT CORPUS QUERIES REPRESENT INDEX: $OUT/run.trec; the last two are flags, a word each.
rank() {
    plugin represent "$1" --corpus "$2" --destdir "$OUT/documents" $4
    plugin index "$OUT/index" --documents "$OUT/documents" $5
    plugin represent "$1" --queries "$3" --destdir "$OUT/queries" $4
    plugin search "$OUT/index" --queries "$OUT/queries" --score cls --depth 100 --output "$OUT/run.trec"
    rm -r "$OUT/documents" "$OUT/index" # tens of gigabytes
}

# evaluate_mrtydi CHECKPOINT FOLDER REPRESENT INDEX
evaluate_mrtydi() {
    rank "$1" "$(first_of "$2"/corpus.jsonl{,.gz})" "$2/topics.test.tsv" "$3" "$4"
    plugin evaluate retrieval "$OUT/run.trec" --qrels "$2/qrels.test.txt" --measures MRR@100 Recall@100 \
        --json "$OUT/scores.json"
}

# evaluate_xor CHECKPOINT FOLDER REPRESENT INDEX
evaluate_xor() {
    local passages
    passages=$(first_of "$2"/passages.tsv{,.gz})
    rank "$1" "$passages" "$2/questions.jsonl" "$3" "$4"
    plugin evaluate xor-retrieve "$OUT/run.trec" --corpus "$passages" --questions "$2/questions.jsonl" \
        --json "$OUT/scores.json"
}

# fine_tune QUESTIONS TEXTS WORDS...: train, a batch of so many questions, shared by the processes; fewer than
# GPUS_OF_A_BATCH represent TEXTS at a time, with the same gradients (--cache-texts)
fine_tune() {
    local questions=$1 texts=$2 cached=()
    shift 2
    [ "$PROCESSES" -ge "$GPUS_OF_A_BATCH" ] || cached=(--cache-texts "$texts")
    train "$@" --batch-size "$((questions / PROCESSES))" ${cached[@]+"${cached[@]}"}
}

# note SYSTEM SEED SETTING METRIC...: the numbers in FOLDER, a line each
note() {
    local system=$1 seed=$2 setting=$3 metric name
    shift 3
    name="$RECORDS/$system.$seed.${setting//[ ,]/-}.tsv"
    for metric; do printf '%s\t%s\t%s\t%s\t%s\n' "$system" "$seed" "$setting" "$metric" "$PWD/$FOLDER/scores.json"; done >"$name.tmp"
    mv "$name.tmp" "$name"
}

# measure SYSTEM SEED WHEN CHECKPOINT POOLING
measure() {
    local system=$1 seed=$2 when=$3 checkpoint=$4 pooling=$5
    stage "$system.$seed.$when.tatoeba" evaluate_tatoeba "$checkpoint" "$pooling" "${PAIRS[@]}"
    note "$system" "$seed" "tatoeba, $when" accuracy
    stage "$system.$seed.$when.lareqa" evaluate_lareqa "$checkpoint" "$pooling" "${XQUAD_FILES[@]}"
    note "$system" "$seed" "lareqa, $when" "mAP@20"
}

# system SYSTEM START SEED: fine-tuning on English and all tests
system() {
    local system=$1 start=$2 seed=$3 folder checkpoint
    stage "$system.$seed.fine" fine_tune "$BATCH_OF_QUESTIONS" "$TEXTS_AT_ONCE" "$MODEL" --arch "retriever_$ARCH" "${SHAPE[@]}" \
        "${FINE_TUNING[@]}" "${OPTIMIZER[@]}" --seed "$seed" --train-groups "$GROUPS_FILE" --pretrained-checkpoint "$start"
    checkpoint=$FOLDER/checkpoint_last.pt
    measure "$system" "$seed" fine-tuned "$checkpoint" cls
    if [ -n "$MRTYDI" ]; then
        for folder in "$MRTYDI"/*/; do
            stage "$system.$seed.mrtydi.$(basename "$folder")" evaluate_mrtydi "$checkpoint" "${folder%/}" \
                "${REPRESENT[*]}" "${INDEX[*]}"
            note "$system" "$seed" "Mr.TyDi, $(basename "$folder")" "MRR@100" "Recall@100"
        done
    fi
    if [ -n "$XOR" ]; then
        stage "$system.$seed.xor" evaluate_xor "$checkpoint" "$XOR" "${REPRESENT[*]}" "${INDEX[*]}"
        note "$system" "$seed" XOR-Retrieve "R@2kt" "R@5kt"
    fi
}

main() {
    local seed name start names=()
    stage model import_xlmr
    MODEL=$FOLDER/model
    if [ "${1:-}" != result ]; then
        prepare_text
        get_tests
        [ "${1:-}" != text ] || exit 0
        for name in "${SYSTEMS[@]}"; do
            start=$MODEL/checkpoint.pt
            if [ "$name" = msm ]; then
                stage pretraining train_batches "$GPUS_OF_A_BATCH" "$ALL" --documents "$UNITS" --arch "msm_$ARCH" \
                    "${SHAPE[@]}" "${MSM[@]}" "${OPTIMIZER[@]}" --pretrained-checkpoint "$start"
                start=$FOLDER/checkpoint_last.pt
            fi
            # there is one start, whose zero-shot numbers are of no seed; they are noted under the first
            measure "$name" "${SEEDS[0]}" zero-shot "$start" "${POOLING[$name]}"
            for seed in "${SEEDS[@]}"; do system "$name" "$start" "$seed"; done
        done
    fi
    SCORER=encoder_runs SCORING=(--compare "${COMPARISONS[@]}")
    for name in "$RECORDS"/*.tsv; do
        name=${name##*/}
        names+=("${name%.tsv}")
    done
    write_result "${names[@]}"
}

main "$@"
exit
