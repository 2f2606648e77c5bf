# Sourced by the recipes on Multi30k, after common.sh: its text, one model size, fine-tuning and test.
# FINE_TUNING and BEAM are config.sh's.
SHARED=("${BASH_SOURCE[0]}") # the result depends on it

# Multi30k, task 1, raw text (CC BY-NC-SA 4.0): captions of photos in three languages.
ADDRESS=https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw
CHECKSUMS="
2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72 train.de
460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6 train.en
5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d train.fr
660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660 val.de
1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227 val.en
5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc val.fr
4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16 test_2016_flickr.de
399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182 test_2016_flickr.en
cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6 test_2016_flickr.fr
"

VOCABULARY=6000

# 3 + 3 layers of width 256, the same for every system.
MODEL=(--arch mass_tiny --criterion label_smoothed_cross_entropy --optimizer adam --adam-betas "(0.9,0.98)"
    --clip-norm 1.0 --autocast-bfloat16)

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

# prepare_multi30k: TEXT is the folder of the raw text afterwards, ALL the data-bin of everything.
prepare_multi30k() {
    stage text get_text
    TEXT=$FOLDER
    stage data-all prepare --vocab-size "$VOCABULARY" --mono de="$TEXT/train.de" en="$TEXT/train.en" fr="$TEXT/train.fr" \
        --valid-mono de="$TEXT/val.de" en="$TEXT/val.en" fr="$TEXT/val.fr" --parallel {de-en,en-fr}="$TEXT/train" \
        --valid-parallel {de-en,en-fr}="$TEXT/val"
    ALL=$FOLDER/data-bin
}

# fine_tune RUN SYSTEM SETTING DIRECTION PAIRS UPDATES SEED WORDS...: train, translate the test set, record it.
fine_tune() {
    local run=$1 system=$2 setting=$3 direction=$4 number=$5 updates=$6 seed=$7
    local source=${direction%-*} target=${direction#*-} every=$((updates / 5)) data
    shift 7
    stage "pairs-$direction-$number" pairs "$direction" "$number"
    data=$FOLDER/data-bin
    stage "$run" train "$data" "${MODEL[@]}" "${FINE_TUNING[@]}" --directions "$direction" --seed "$seed" \
        --max-update "$updates" --validate-interval 1000 --validate-interval-updates "$every" \
        --save-interval 1000 --save-interval-updates "$every" "$@"
    stage "$run.test" translate "$FOLDER/checkpoint_best.pt" "$source" "$target" \
        "$TEXT/test_2016_flickr.$source" --beam "$BEAM"
    record "$run" "$system" "$setting" "$seed" "$FOLDER/translation.txt" "$TEXT/test_2016_flickr.$target"
}
