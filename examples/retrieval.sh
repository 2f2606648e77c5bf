# shellcheck shell=bash disable=SC2034,SC2086 # what common.sh reads; flags in one word
# Sourced by the recipes for retrieval, after common.sh: pre-training, fine-tuning, a ranked list and its scores.
SHARED=("${BASH_SOURCE[0]}" "$EXAMPLE/../retrieval_text.py") # the result depends on them
SCORER=retrieval_runs

# prepare_encoder WORDS...: preprocess/prepare_encoder.py into $OUT/data-bin.
prepare_encoder() {
    python "$ROOT/preprocess/prepare_encoder.py" "$@" --destdir "$OUT/data-bin" --overwrite
}

# index_corpus CHECKPOINT CORPUS REPRESENT INDEX: $OUT/documents and $OUT/index; the last two are flags, a word each.
index_corpus() {
    plugin represent "$1" --corpus "$2" --destdir "$OUT/documents" $3
    plugin index "$OUT/index" --documents "$OUT/documents" $4
}

# search_index CHECKPOINT INDEX QUERIES QRELS SCORE DEPTH REPRESENT: $OUT/run.trec of the judged queries.
search_index() {
    plugin represent "$1" --queries "$3" --judged "$4" --destdir "$OUT/queries" $7
    plugin search "$2" --queries "$OUT/queries" --score "$5" --depth "$6" --output "$OUT/run.trec"
}

# rank_by_bm25 CORPUS QUERIES QRELS: $OUT/run.trec of the judged queries.
rank_by_bm25() {
    plugin bm25 --corpus "$1" --queries "$2" --judged "$3" --output "$OUT/run.trec"
}

# evaluate RUN SYSTEM SETTING SEED CHECKPOINT CORPUS QUERIES QRELS SCORE [PAPER]: index, search, record. INDEX_FOLDER is
# the index afterwards.
evaluate() {
    local run=$1 system=$2 setting=$3 seed=$4 checkpoint=$5 corpus=$6 queries=$7 qrels=$8 score=$9
    stage "$run.index" index_corpus "$checkpoint" "$corpus" "${REPRESENT[*]}" "${INDEX[*]}"
    INDEX_FOLDER=$FOLDER/index
    stage "$run.search" search_index "$checkpoint" "$INDEX_FOLDER" "$queries" "$qrels" "$score" 1000 "${REPRESENT[*]}"
    record "$run" "$system" "$setting" "$seed" "$FOLDER/run.trec" "$qrels" ${10:+"${10}"}
}
