#!/usr/bin/env bash
# MLM, RetroMAE and DupMAE from the same start and text, then the same fine-tuning, against BM25. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh pretrain     the pre-trainings alone
#   PROCESSES=4 bash run.sh  so many share the start
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  files that are here already, plain, .xz or .gz, in the folder or below it
DATA=${DATA:+$(realpath "$DATA")}
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../retrieval.sh"
source "$EXAMPLE/../shared_training.sh"
SHARED+=("$EXAMPLE/groups.py")
[ -z "$DATA" ] || CALLED="DATA=folder" # its text is not the downloads' to the letter
source "$CONFIG"

GITHUB=https://raw.githubusercontent.com
CRANFIELD=$GITHUB/oussbenk/cranfield-trec-dataset/1208e6edfb6cb2527b2c44398d3d8fefd3249144
CISI=$GITHUB/Shakiba-Alipour/Information-Retrieval-on-CISI/7a23c34602e8949d795bb1835004546e00d1d1ba
SCIFACT=$GITHUB/sumithra-p-v/claimverifier/b42f1c3444b28884ddcfadffafbfe223646c6c37/data/scifact.zip
MEDQUAD=https://github.com/abachaa/MedQuAD/archive/577bd37b96c02d1833b2c9eed2de9f96964e96cb.zip
CHECKSUMS="
369eb64e59d855b62463832f1338f471cede578571ee7fb33e3592a2a138ff47 cran.all.1400.xml
b609a59e980857ba59d098f33433822a5c200bcf6836a320babf2b1a5e7545eb cran.qry.xml
98a13b4913d61a02690725aee7ac4f6a1979c13fc9088ad9b4a81be58b1a6f11 cranqrel.trec.txt
c13934ad921234b571e7b424af3461fe39dccb16757cb21954b3aea5250d072e CISI.ALL
b72de0e0cb8aa5c93ac988e5be0400cc18949d0a94913a248783a37dd97d5470 CISI.QRY
f7396c92586c61953ccb7ae99ad8d3ac749ac3b989041fc93a9e311568f58997 CISI.REL
f4a79c38ef6abf2ebb23612d155e77b4add75cc94f218e9a5d70a454fe3190b4 corpus_train.csv
e700ebf087eb3f64eca99e983ab6bc08ae66c9ae06c3073ce514ee8c08fdeab0 claims_train.csv
"

download() {
    curl --fail --location --silent --show-error --retry 3 --output "$OUT/$2.part" "$1"
    mv "$OUT/$2.part" "$OUT/$2"
}

get_text() {
    local name source checksum
    if [ -n "${DATA:-}" ]; then
        python "$EXAMPLE/../retrieval_text.py" "$DATA" "$OUT"
        return
    fi
    mkdir -p "$OUT/source"
    (
        OUT=$OUT/source
        for name in cran.all.1400.xml cran.qry.xml cranqrel.trec.txt; do download "$CRANFIELD/$name" "$name"; done
        for name in CISI.ALL CISI.QRY CISI.REL; do download "$CISI/$name" "$name"; done
        download "$SCIFACT" scifact.zip
        python -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])' "$OUT/scifact.zip" "$OUT"
        while read -r checksum name; do
            [ -z "$name" ] || echo "$checksum  $(find "$OUT" -name "$name")"
        done <<<"$CHECKSUMS" | sha256sum --check --quiet -
        download "$MEDQUAD" medquad.zip
    )
    python "$EXAMPLE/../retrieval_text.py" "$OUT/source" "$OUT"
}

# mine_negatives TEXT FLAG...: each training query of train.jsonl with hard negatives that BM25 finds among all documents.
mine_negatives() {
    python "$EXAMPLE/groups.py" collect "$1" "$OUT"
    plugin bm25 --corpus "$OUT/corpus.jsonl" --queries "$OUT/queries.jsonl" --depth 100 --output "$OUT/bm25.trec"
    plugin mine --corpus "$OUT/corpus.jsonl" --queries "$OUT/queries.jsonl" --qrels "$OUT/qrels.txt" \
        --run "$OUT/bm25.trec" "${@:2}" --output "$OUT/mined.jsonl"
    python "$EXAMPLE/groups.py" join "$1" "$OUT/mined.jsonl" "$OUT/groups.jsonl"
}

# align DATA WORDS...: vectors of its tokens
align() { plugin align "$@" --output "$OUT/vectors.txt"; }

# pretrain_start: FOLDER is that of the encoder that all objectives start from.
pretrain_start() {
    stage vectors align "$ALL" "${ALIGNMENT[@]}"
    shared_training start "$ALL" "${START[@]}" "${SHAPE[@]}" "${OPTIMIZER[@]}" \
        --pretrained-embeddings "$FOLDER/vectors.txt"
}

# pretrain OBJECTIVE SEED
pretrain() {
    pretrain_start
    stage "pretraining.$1.$2" train "$ALL" "${PRETRAINING[@]}" "${SHAPE[@]}" "${OPTIMIZER[@]}" ${OBJECTIVE[$1]} \
        --seed "$2" --pretrained-checkpoint "$FOLDER/checkpoint_last.pt"
}

# system OBJECTIVE REPRESENTATION SEED
system() {
    local objective=$1 representation=$2 seed=$3 run="$1.$2.$3" score=$2 collection checkpoint
    [ "$score" != mean ] || score=cls # a vector, too
    pretrain "$objective" "$seed"
    stage "$run" train "$FOLDER" "${FINE_TUNING[@]}" "${SHAPE[@]}" "${OPTIMIZER[@]}" --seed "$seed" \
        ${REPRESENTATION[$representation]} --train-groups "$GROUPS_FOLDER/groups.jsonl" \
        --pretrained-checkpoint "$FOLDER/checkpoint_last.pt"
    checkpoint=$FOLDER/checkpoint_last.pt
    for collection in "${COLLECTIONS[@]}"; do
        evaluate "$run.$collection" "$objective+$representation" "$collection" "$seed" "$checkpoint" \
            "$TEXT/$collection/corpus.jsonl" "$TEXT/$collection/queries.jsonl" "$TEXT/$collection/qrels.txt" "$score"
    done
}

bm25() {
    local collection
    for collection in "${COLLECTIONS[@]}"; do
        stage "bm25.$collection" rank_by_bm25 "$TEXT/$collection/corpus.jsonl" "$TEXT/$collection/queries.jsonl" \
            "$TEXT/$collection/qrels.txt"
        record "bm25.$collection" bm25 "$collection" 1 "$FOLDER/run.trec" "$TEXT/$collection/qrels.txt"
    done
}

main() {
    local names=() seed name collection objective
    stage text get_text
    TEXT=$FOLDER
    stage data-bin prepare_encoder --vocab-size "$VOCABULARY" --lowercase --mono en="$TEXT/text.txt"
    ALL=$FOLDER/data-bin
    stage groups mine_negatives "$TEXT" "${MINING[@]}"
    GROUPS_FOLDER=$FOLDER
    for collection in "${COLLECTIONS[@]}"; do names+=("bm25.$collection"); done
    for seed in "${SEEDS[@]}"; do
        for name in "${SYSTEMS[@]}"; do
            for collection in "${COLLECTIONS[@]}"; do names+=("${name/ /.}.$seed.$collection"); done
        done
    done
    if [ "${1:-}" != result ]; then
        first_job pretrain_start
        for objective in "${SLOWEST_FIRST[@]}"; do
            for seed in "${SEEDS[@]}"; do job pretrain "$objective" "$seed"; done
        done
        job bm25
        [ "${1:-}" != pretrain ] || { finish_jobs; exit 0; }
        for objective in "${SLOWEST_FIRST[@]}"; do # pre-trained first, so that none waits
            for name in "${SYSTEMS[@]}"; do
                [ "${name% *}" = "$objective" ] || continue
                for seed in "${SEEDS[@]}"; do job system $name "$seed"; done
            done
        done
        finish_jobs
    fi
    write_result "${names[@]}"
}

main "$@"
exit
