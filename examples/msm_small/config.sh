# Everything that the result depends on. Read by run.sh.

CLAIM="With the same start, text and updates, MLM < MSM on cross-lingual retrieval, zero-shot and after fine-tuning on English alone (MSM, tables 1 to 4)"
STATUS="scaled down"

# XQuAD-R has all but fr, Tatoeba all but en.
LANGUAGES=(en de es fr)

# Where the files are, as of fixed commits; text and questions, then tests.
GITHUB=https://raw.githubusercontent.com
BIBLE=$GITHUB/scrollmapper/bible_databases/a228a19a29099a41c196c2a310cd93e50a390e30/formats/csv
BIBLES=(ASV GerElb1871 SpaRV FrePGR)
declare -A DOCS=( # the French one's English is the English text
    [fr]=https://github.com/python/python-docs-fr/archive/b279d876e2a3381605d38ea62b863f60abadc92c.zip
    [es]=https://github.com/python/python-docs-es/archive/91f4ccc0ba.zip
)
MEDQUAD=https://github.com/abachaa/MedQuAD/archive/577bd37b96c02d1833b2c9eed2de9f96964e96cb.zip
SCIFACT=$GITHUB/sumithra-p-v/claimverifier/b42f1c3444b28884ddcfadffafbfe223646c6c37/data/scifact.zip
TATOEBA=$GITHUB/facebookresearch/LASER/74bc6ae7ffb7cba670fe0f428d0ede9f666fb821/data/tatoeba/v1
TATOEBA_CODES=(deu spa fra)
XQUAD=$GITHUB/google-research-datasets/lareqa/9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c/xquad-r
XQUAD_LANGUAGES=(en de es)
declare -A KNOWN=() # address -> bytes and SHA-256: GitHub packs archives anew, and of the others none was published
declare -A SCIFACT_SUMS=( # SHA-256
    [corpus_train.csv]=f4a79c38ef6abf2ebb23612d155e77b4add75cc94f218e9a5d70a454fe3190b4
    [claims_train.csv]=e700ebf087eb3f64eca99e983ab6bc08ae66c9ae06c3073ce514ee8c08fdeab0
)

VOCABULARY=16000
# Tokens of all languages in one space before the start, from the Bible of each, which comes first in its text.
# (): from random vectors.
ALIGNMENT=(--pivot en --window 30 --max-tokens 1100000)
# 3 layers of width 256.
SHAPE=(--encoder-layers 3 --encoder-embed-dim 256 --encoder-ffn-embed-dim 1024 --encoder-attention-heads 4
    --max-positions 256)
OPTIMIZER=(--optimizer adam --adam-betas "(0.9,0.98)" --weight-decay 0.01 --clip-norm 1.0 --autocast-bfloat16
    --lr-scheduler polynomial_decay --log-interval 100 --save-interval 1000 --save-interval-updates 500
    --disable-validation --required-batch-size-multiple 1 --language-alpha 0.3)

# Documents of 8 units, each of consecutive lines up to 47 tokens: chapters are shorter than the paper's 32 units of 63.
DOCUMENTS=(--unit-tokens 47 --units 8 --min-units 4)

# One start of all, of which up to four processes share an update; then the same updates for each system.
TEXT=(--long-lines truncate)
START_UPDATES=3000
START_RATE=1e-3
START=(--max-tokens 1024 --update-freq "$((4 / ${PROCESSES:-1}))")
UPDATES=500
RATE=2e-4
MLM=(--task mlm_pretraining --arch text_encoder_tiny --criterion masked_tokens "${TEXT[@]}")
CMLM=(--task cmlm_pretraining --arch cmlm_tiny --criterion masked_tokens)
MSM=(--task msm_pretraining --arch msm_tiny --criterion msm --units-per-document 8 --unit-pooling mean "${TEXT[@]}")

# system -> flags beside those of MSM: the paper's own pooling, and its ablations
declare -A ABLATION=(
    [msm]=""
    [msm-cls]="--unit-pooling cls"
    [no-context]="--document-context none"
    [no-correction]="--hierarchical-alpha 0"
    [no-cross]="--without-cross-negatives"
    [no-intra]="--without-intra-negatives"
)
# The last one has the checkpoint of mlm with the pooling of msm-cls.
SYSTEMS=(start mlm cmlm msm msm-cls no-context no-correction no-cross no-intra mlm-cls)
declare -A TRAINED_AS=([mlm-cls]=mlm)
declare -A POOLING=([msm-cls]=cls [mlm-cls]=cls) # the others: mean
SEEDS=(1 2 3)
ABLATION_SEEDS=(1 2 3)
# Which system is tested against which; left out while one of them has no run.
COMPARISONS=(start=msm mlm=msm cmlm=msm no-context=msm no-correction=msm no-cross=msm no-intra=msm msm-cls=msm
    mlm-cls=msm-cls no-cross=no-correction)

# Fine-tuning on English questions and answers alone (MedQuAD, SciFact), vectors pooled as before it.
FINE_UPDATES=150
FINE_TUNING=(--task retrieval_finetuning --arch retriever_tiny --criterion retrieval --representation cls --cls-dim 0
    --query-tokens 48 --passage-tokens 128 --batch-size 48 --group-size 1 --disable-validation --lr 1e-4
    --lr-scheduler polynomial_decay --warmup-updates 15 --total-num-update "$FINE_UPDATES" --max-update "$FINE_UPDATES"
    --optimizer adam --clip-norm 1.0 --autocast-bfloat16 --log-interval 50 --save-interval 1000
    --save-interval-updates 200)

PICTURE=(en de es fr) # languages of the picture: a chapter whose verses are the same in all
