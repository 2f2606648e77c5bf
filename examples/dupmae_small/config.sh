# Everything that the result depends on. Read by run.sh.

CLAIM="With the same text, updates and fine-tuning MLM < RetroMAE < DupMAE, and [CLS] + ordinary tokens are ahead of either alone at the same number of values (DupMAE, tables 1 and 4)"
STATUS="scaled down"

VOCABULARY=8000
# 3 layers of width 256.
SHAPE=(--encoder-layers 3 --encoder-embed-dim 256 --encoder-ffn-embed-dim 1024 --encoder-attention-heads 4
    --max-positions 192)
OPTIMIZER=(--optimizer adam --adam-betas "(0.9,0.98)" --weight-decay 0.01 --clip-norm 1.0 --autocast-bfloat16)

# One start of all: a masked language model, from vectors of the tokens' neighbours. Up to four processes share its updates.
ALIGNMENT=(--pivot en)
START_UPDATES=3000
START=(--task mlm_pretraining --arch text_encoder_tiny --criterion masked_tokens --langs en --long-lines truncate
    --max-tokens 1024 --update-freq "$((4 / ${PROCESSES:-1}))" --lr 1e-3 --lr-scheduler polynomial_decay
    --warmup-updates 300 --total-num-update "$START_UPDATES" --max-update "$START_UPDATES" --seed 1 --log-interval 100
    --disable-validation --required-batch-size-multiple 1 --save-interval 1000 --save-interval-updates 500)

# Pre-training: the same text, masks, batches and updates for one seed; the objective alone differs.
UPDATES=2500
PRETRAINING=(--task dupmae_pretraining --arch dupmae_tiny --criterion dupmae --langs en --long-lines truncate
    --max-tokens 2048 --lr 5e-4 --lr-scheduler polynomial_decay --warmup-updates 250 --total-num-update "$UPDATES"
    --max-update "$UPDATES" --log-interval 100 --validate-interval 1000 --validate-interval-updates 2500
    --save-interval 1000 --save-interval-updates 500)
declare -A OBJECTIVE=([mlm]="--decoder-weight 0 --bow-weight 0" [retromae]="--bow-weight 0 --decoder-queries plain"
    [dupmae]="--bow-weight 0.2")
SLOWEST_FIRST=(dupmae retromae mlm)

# Fine-tuning: one stage, with the other passages of the batch and a hard negative of BM25 a query.
FINE_UPDATES=200
FINE_TUNING=(--task retrieval_finetuning --arch retriever_tiny --criterion retrieval
    --query-tokens 48 --passage-tokens 128 --batch-size 32 --group-size 2 --temperature 10 --disable-validation
    --lr 1e-3 --lr-scheduler polynomial_decay --warmup-updates 20 --total-num-update "$FINE_UPDATES"
    --max-update "$FINE_UPDATES" --log-interval 50 --save-interval 1000 --save-interval-updates 80)
MINING=(--depth 100 --negatives 10)
# A document has 256 values in each: of the projected [CLS], of the mean of all states (the masked language model's [CLS]
# was never trained as a vector), of ordinary tokens, or 128 of [CLS] and 128 of ordinary tokens.
declare -A REPRESENTATION=(
    [cls]="--representation cls --cls-dim 256"
    [mean]="--representation cls --cls-dim 256 --vector-pooling mean"
    [ot]="--representation ot --ot-top 256"
    [both]="--representation both --cls-dim 128 --ot-top 128"
)
# "objective representation", in the order in which they are compared
SYSTEMS=("mlm mean" "mlm cls" "mlm both" "retromae cls" "retromae both" "dupmae cls" "dupmae ot" "dupmae both")
SEEDS=(1 2 3)
COLLECTIONS=(scifact medquad cranfield cisi)
REPRESENT=()
INDEX=(--kind flat)
