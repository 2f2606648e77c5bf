#!/usr/bin/env bash
# Abstracts and their one-sentence summaries: from scratch, from MASS, and the first sentence. See README.md and ../summarization.sh.
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../summarization.sh"

ADDRESS=https://raw.githubusercontent.com/allenai/scitldr/5ccad9c00a60ad75c9e04abf7f27d0f53f983b20/SciTLDR-Data/SciTLDR-A
ABSTRACTS=https://scifact.s3-us-west-2.amazonaws.com/release/latest/data.tar.gz
CHECKSUMS="
dc704600a233ba58188a888f14be13f4a849cf11d1bbcbd7e2ae4f377e607b7d train.source
ba7ebba42fa72e3342d9a8d7be6f73c46ec56b6e49ca51367be1a4c8a62b2fa0 train.target
b34e756580e1f82ea725d981a72bb062676b25c46183e71bddaca42e4f365f61 valid.source
c71a563ce24d20460f9d3173f6bb0c57135ba6e4cececac07eca4359eb731a13 valid.target
10cdb6048416f503f15f2c96d77a9e2294e926b1100f9a07581e91369778dc88 test.source
96c8a876ab4f4f736b4bc3abfe7a56620ff7e3c7a516e84b29948288f8337b12 test.target
"
source "$CONFIG"
[ -z "${DATA:-}" ] || CALLED="DATA=folder" # its text to pre-train on is not the download's to the letter

# With DATA: train.jsonl and dev.jsonl of SciTLDR-A, and corpus_train.csv or data.tar.gz of SciFact; all but the last may be .xz.
get_text() {
    local folder=${DATA:-$OUT} abstracts name
    if [ -z "${DATA:-}" ]; then
        download "$ADDRESS/train.jsonl" train.jsonl
        download "$ADDRESS/dev.jsonl" dev.jsonl
        download "$ABSTRACTS" data.tar.gz
    fi
    for name in data.tar.gz corpus_train.csv corpus_train.csv.xz; do
        abstracts=$folder/$name
        [ ! -e "$abstracts" ] || break
    done
    [ -e "$abstracts" ] || { echo "error: DATA=$folder has neither data.tar.gz nor corpus_train.csv" >&2; return 1; }
    text scitldr "$folder" "$OUT" --valid "$VALID"
    { cat "$OUT/train.text"; text scifact "$abstracts"; } >"$OUT/pretraining.text"
    check_text
}

main "$@"
exit
