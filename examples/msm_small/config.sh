# Everything that the result depends on. Read by run.sh.

CLAIM="With the same start, text and updates, MLM < MSM on cross-lingual retrieval, zero-shot and after fine-tuning on English alone (MSM, tables 1 to 4)"
STATUS="scaled down"

# The languages with documents here; XQuAD-R has en, de, es, zh of them, Tatoeba all but en.
LANGUAGES=(en de es fr pt nl cs el ja ko vi zh)
VOCABULARY=24000
# 3 layers of width 256.
SHAPE=(--encoder-layers 3 --encoder-embed-dim 256 --encoder-ffn-embed-dim 1024 --encoder-attention-heads 4
    --max-positions 256)
OPTIMIZER=(--optimizer adam --adam-betas "(0.9,0.98)" --weight-decay 0.01 --clip-norm 1.0 --autocast-bfloat16
    --lr-scheduler polynomial_decay --log-interval 100 --save-interval 1000 --save-interval-updates 500
    --disable-validation --max-tokens 4096 --language-alpha 0.3)

# Documents of 8 units, each of consecutive lines up to 47 tokens: chapters are shorter than the paper's 32 units of 63.
DOCUMENTS=(--unit-tokens 47 --units 8 --min-units 4)

# The start of all, then the same updates for each system.
TEXT=(--sample-break-mode complete --tokens-per-sample 192)
START_UPDATES=6000
UPDATES=3000
MLM=(--task mlm_pretraining --arch text_encoder_tiny --criterion masked_tokens "${TEXT[@]}")
CMLM=(--task cmlm_pretraining --arch cmlm_tiny --criterion masked_tokens)
MSM=(--task msm_pretraining --arch msm_tiny --criterion msm --units-per-document 8 "${TEXT[@]}")

# system -> the paper's ablations: flags beside those of MSM
declare -A ABLATION=(
    [msm]=""
    [no-context]="--document-context none"
    [no-correction]="--hierarchical-alpha 0"
    [no-cross]="--without-cross-negatives"
    [no-intra]="--without-intra-negatives"
)
SYSTEMS=(start mlm cmlm msm no-context no-correction no-cross no-intra)
declare -A POOLING=([start]=mean [mlm]=mean [cmlm]=mean) # the others: cls
SEEDS=(1 2 3)

# Fine-tuning on English questions and answers alone (MedQuAD, SciFact), the [CLS] state as the vector.
FINE_UPDATES=400
FINE_TUNING=(--task retrieval_finetuning --arch retriever_tiny --criterion retrieval --representation cls --cls-dim 0
    --query-tokens 48 --passage-tokens 128 --batch-size 48 --group-size 1 --disable-validation --lr 1e-4
    --lr-scheduler polynomial_decay --warmup-updates 40 --total-num-update "$FINE_UPDATES" --max-update "$FINE_UPDATES"
    --optimizer adam --clip-norm 1.0 --autocast-bfloat16 --log-interval 50 --save-interval 1000
    --save-interval-updates 200)

PICTURE=(en de es fr pt) # languages of the picture: a chapter whose verses are the same in all
