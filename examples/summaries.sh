# shellcheck shell=bash disable=SC2034 # what common.sh reads
# Sourced by summarization.sh and summarization_large.sh: their text, summaries of a model, and how the document begins.
SUMMARY_TEXT=$(dirname "${BASH_SOURCE[0]}")/summarization_text.py
SHARED+=("${BASH_SOURCE[0]}" "$SUMMARY_TEXT") # the result depends on them
SCORER=summary_runs

text() { python "$SUMMARY_TEXT" "$@"; }

# summarize CHECKPOINT FILE WORDS...: raw documents in FILE to raw summaries in $OUT/summaries.txt. BATCH_TOKENS is no
# part of a stage's name: it changes the memory, not the summaries.
summarize() {
    local checkpoint=$1 file=$2
    shift 2
    python -m mass_plugins summarize "$checkpoint" --buffer 2000 ${BATCH_TOKENS:+--batch-tokens "$BATCH_TOKENS"} "$@" \
        <"$file" >"$OUT/summaries.txt.tmp"
    mv "$OUT/summaries.txt.tmp" "$OUT/summaries.txt"
}

# lead TEXT WORDS...: what the summary is if it is how the document begins.
lead() {
    local folder=$1
    shift
    text lead "$@" <"$folder/test.source" >"$OUT/summaries.txt"
}
