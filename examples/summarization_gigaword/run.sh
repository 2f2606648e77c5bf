#!/usr/bin/env bash
# Gigaword's headlines at the paper's size, with all pairs and with few. See README.md and ../summarization_large.sh.
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../summarization_large.sh"
source "$CONFIG"

unpack() { text gigaword "$1" "$OUT"; }

# get_pairs: TEXT is the folder of the pairs afterwards.
get_pairs() {
    get "$GIGAWORD"
    stage gigaword unpack "$FILE"
    TEXT=$FOLDER
}

main "$@"
exit
