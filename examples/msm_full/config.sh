# Everything that the result depends on. Read by run.sh.

CLAIM="XLM-R base pre-trained further by MSM, fine-tuned on English alone, is ahead of XLM-R on cross-lingual retrieval: Mr.TyDi, XOR-Retrieve, LAReQA (MSM, tables 1 to 4)"
STATUS="not run"

# XLM-R base as a Hugging Face folder: config.json, model.safetensors, tokenizer.json.
XLMR=${XLMR:?name a folder with xlm-roberta-base in Hugging Face format}

# CC-100: documents of Common Crawl; 108 of its languages (Chinese in simplified characters). No sums are published.
CRAWL=https://data.statmt.org/cc-100
LANGUAGES=(
    af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa ff fi fr fy ga gd gl gn gu ha he hi hr ht hu hy id
    ig is it ja jv ka kk km kn ko ku ky la lg li ln lo lt lv mg mk ml mn mr ms my ne nl no ns om or pa pl ps pt qu rm ro
    ru sa sd si sk sl so sq sr ss su sv sw ta te th tl tn tr ug uk ur uz vi wo xh yi yo zh zu
)
declare -A FILE_OF=([zh]=zh-Hans) # where it has another name than the language
MOST_LINES=20000000               # of a language, from the beginning of its file
DOCUMENTS=(--unit-tokens 63 --units 32)

# DPR's questions of Natural Questions with passages, the English pairs.
QUESTIONS=https://dl.fbaipublicfiles.com/dpr/data/retriever/biencoder-nq-train.json.gz

# Tests that are downloaded; Tatoeba's codes without English.
TATOEBA=https://raw.githubusercontent.com/facebookresearch/LASER/74bc6ae7ffb7cba670fe0f428d0ede9f666fb821/data/tatoeba/v1
TATOEBA_LANGUAGES=(
    afr ara ben bul cmn deu ell est eus fin fra heb hin hun ind ita jav jpn kat kaz kor mal mar nld pes por rus spa swh
    tam tel tgl tha tur urd vie
)
XQUAD=https://raw.githubusercontent.com/google-research-datasets/lareqa/9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c/xquad-r
XQUAD_LANGUAGES=(ar de el en es hi ru th tr vi zh)
declare -A KNOWN=() # address -> bytes and SHA-256, where they are published

GPUS_OF_A_BATCH=8 # --max-tokens is that of a GPU; an update has as many as so many GPUs'
ARCH=xlmr_base
SHAPE=()
OPTIMIZER=(--optimizer adam --weight-decay 0.01 --clip-norm 1.0 --autocast-bfloat16 --lr-scheduler polynomial_decay
    --disable-validation --log-interval 100)
# The release's: 200 000 updates, 15 % masks, 256 tokens, languages by size^0.3; a unit counts for 8.64 masked tokens.
MSM=(--task msm_pretraining --criterion msm --units-per-document 32 --document-weight 8.64 --language-alpha 0.3
    --sample-break-mode complete --tokens-per-sample 256 --long-lines truncate --adam-betas "(0.9,0.98)" --lr 4e-5
    --warmup-updates 10000 --total-num-update 200000 --max-update 200000 --max-tokens 16384 --seed 1
    --save-interval 1000 --save-interval-updates 5000)

FINE_TUNING=(--task retrieval_finetuning --criterion retrieval --representation cls --cls-dim 0 --query-tokens 64
    --passage-tokens 256 --group-size 2 --adam-betas "(0.9,0.999)" --lr 2e-5 --warmup-updates 1237
    --total-num-update 18400 --max-update 18400 --save-interval 1000 --save-interval-updates 1000)
# An update's questions are one batch on any number of GPUs, each the others' negatives; where a GPU has more than
# TEXTS_AT_ONCE of its questions and passages, it represents so many at a time.
BATCH_OF_QUESTIONS=128
TEXTS_AT_ONCE=48
SYSTEMS=(xlm-r msm)
declare -A POOLING=([xlm-r]=mean [msm]=cls) # zero-shot
SEEDS=(1 2 3) # of the fine-tuning: MSM is pre-trained once
COMPARISONS=(msm=xlm-r) # which system is tested against which
REPRESENT=(--batch-tokens 65536 --dtype bfloat16 --output-dtype float16)
INDEX=(--kind flat)
