# shellcheck shell=bash disable=SC2034 # what common.sh reads
# Sourced by the recipes for retrieval, after common.sh: pre-training, fine-tuning, a ranked list and its scores.
SHARED=("${BASH_SOURCE[0]}" "$EXAMPLE/../retrieval_text.py") # the result depends on them

plugin() { python -m mass_plugins "$@"; }

# prepare_encoder WORDS...: preprocess/prepare_encoder.py into $OUT/data-bin.
prepare_encoder() {
    python "$ROOT/preprocess/prepare_encoder.py" "$@" --destdir "$OUT/data-bin" --overwrite
}

# represent CHECKPOINT CORPUS: $OUT/documents and $OUT/index.
index_corpus() {
    plugin represent "$1" --corpus "$2" --destdir "$OUT/documents" "${REPRESENT[@]}"
    plugin index "$OUT/index" --documents "$OUT/documents" "${INDEX[@]}"
}

# search CHECKPOINT INDEX QUERIES QRELS SCORE DEPTH: $OUT/run.trec of the judged queries.
search_index() {
    plugin represent "$1" --queries "$3" --judged "$4" --destdir "$OUT/queries" "${REPRESENT[@]}"
    plugin search "$2" --queries "$OUT/queries" --score "$5" --depth "$6" --output "$OUT/run.trec"
}

rank_by_bm25() {
    plugin bm25 --corpus "$1" --queries "$2" --judged "$3" --output "$OUT/run.trec"
}

# evaluate RUN SYSTEM SETTING SEED CHECKPOINT CORPUS QUERIES QRELS SCORE [PAPER]: index, search, record.
evaluate() {
    local run=$1 system=$2 setting=$3 seed=$4 checkpoint=$5 corpus=$6 queries=$7 qrels=$8 score=$9 index
    stage "$run.index" index_corpus "$checkpoint" "$corpus"
    index=$FOLDER/index
    stage "$run.search" search_index "$checkpoint" "$index" "$queries" "$qrels" "$score" 1000
    record "$run" "$system" "$setting" "$seed" "$FOLDER/run.trec" "$qrels" ${10:+"${10}"}
}

# score NAME...: as write_result of common.sh, for rankings.
write_retrieval_result() {
    local name files=()
    for name in "$@"; do [ ! -e "runs/$name.tsv" ] || files+=("runs/$name.tsv"); done
    [ "${#files[@]}" -gt 0 ] || die "no run has ended yet"
    say "result from ${#files[@]} of $# runs"
    about_result
    python -m mass_plugins.scoring.retrieval_runs "${files[@]}" "${RESULT_FLAGS[@]}" --output result.json \
        --seconds "$(awk '{ sum += $1 } END { print sum }' ./*/.seconds)"
    [ "$CONFIG" != "$EXAMPLE/config.sh" ] || cp result.json "$EXAMPLE/result.json"
}
