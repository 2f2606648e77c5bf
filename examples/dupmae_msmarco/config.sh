# Everything that the result depends on. Read by run.sh.

CLAIM="DupMAE fine-tuned on MS MARCO passages: MRR@10 .4102 with hard negatives, .426 with distillation (table 1)"
STATUS="not run"

# MS MARCO's passage ranking files.
ADDRESS=https://msmarco.z22.web.core.windows.net/msmarcoranking/collectionandqueries.tar.gz
CHECKSUM=31644046b18952c1386cd4564ba2ae69 # MD5, as it is published
# BERT-base, uncased, as a Hugging Face folder: config.json, model.safetensors, tokenizer.json.
BERT=${BERT:?name a folder with bert-base-uncased in Hugging Face format}
# General text to pre-train on first, a passage a line, files that the shell expands; the paper's are Wikipedia
# and BookCorpus. Empty: MS MARCO alone, from BERT.
GENERAL_TEXT=${GENERAL_TEXT:-}

GPUS_OF_A_BATCH=8 # --batch-size is that of a GPU; an update has as many texts as so many GPUs'
ARCH=bert_base
SHAPE=()
OPTIMIZER=(--optimizer adam --adam-betas "(0.9,0.999)" --weight-decay 0.01 --clip-norm 1.0 --autocast-bfloat16
    --lr-scheduler polynomial_decay --log-interval 100)
# 8 epochs of 512 tokens at 8 x 32, then 20 of passages at 8 x 128; updates for the paper's sizes of text.
PRETRAINING=(--task dupmae_pretraining --criterion dupmae --bow-weight 0.1 --long-lines truncate --lr 1e-4 --seed 1
    --validate-interval 1000 --save-interval 1000)
GENERAL=(--tokens-per-sample 512 --batch-size 32 --warmup-updates 39000 --total-num-update 390000 --max-update 390000
    --save-interval-updates 5000 --validate-interval-updates 5000)
MARCO=(--batch-size 128 --warmup-updates 17000 --total-num-update 172000 --max-update 172000
    --save-interval-updates 5000 --validate-interval-updates 5000)

# 4 epochs of 502 939 queries: 8 x 16 queries of 16 passages an update; in stage 1 8 x 128 of one.
FINE_TUNING=(--task retrieval_finetuning --criterion retrieval --representation both --cls-dim 384 --ot-top 384
    --query-tokens 32 --passage-tokens 144 --lr 2e-5 --warmup-updates 1570 --disable-validation
    --save-interval 1000 --save-interval-updates 1000)
UPDATES=(--total-num-update 15700 --max-update 15700)
FIRST=(--group-size 1 --batch-size 128 --warmup-updates 196 --total-num-update 1964 --max-update 1964)
SECOND=(--group-size 16 --batch-size 16)
THIRD=(--group-size 16 --batch-size 16 --contrastive-weight 0.2 --distillation-weight 1)
MINING=(--depth 200 --negatives 50)
TEACHER=(--task relevance_finetuning --criterion relevance --query-tokens 32 --passage-tokens 144 --group-size 8
    --batch-size 16 --lr 2e-5 --warmup-updates 1570 --disable-validation --save-interval 1000 --save-interval-updates 1000)
SEEDS=(1)
REPRESENT=(--batch-tokens 65536 --dtype bfloat16 --output-dtype float16)
TEACH=(--batch-tokens 65536 --dtype bfloat16)
INDEX=(--kind flat)
