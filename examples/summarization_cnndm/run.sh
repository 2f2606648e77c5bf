#!/usr/bin/env bash
# The highlights of CNN's and the Daily Mail's news at the paper's size. See README.md and ../summarization_large.sh.
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../summarization_large.sh"
source "$CONFIG"

unpack() { text cnndm "$@" "$OUT"; }
lists() { local list; for list in "$@"; do cp "$list" "$OUT/"; done; }

# get_pairs: TEXT is the folder of the pairs afterwards.
get_pairs() {
    local files=() name
    for name in all_train.txt all_val.txt all_test.txt; do get "$LISTS/$name"; files+=("$FILE"); done
    stage lists lists "${files[@]}"
    files=("$FOLDER")
    for name in dailymail_stories.tgz cnn_stories.tgz; do get "$STORIES/$name"; files=("$FILE" "${files[@]}"); done
    stage cnndm unpack "${files[@]}"
    TEXT=$FOLDER
}

main "$@"
exit
