# shellcheck shell=bash disable=SC2034 # ../summarization.sh reads it
# Everything that the result depends on, besides ../summarization.sh. Read by run.sh.

CLAIM="MASS is ahead of training from scratch in abstractive summarization, the more so the fewer pairs (paper, section 4.3: Gigaword at 10 K to 3.8 M pairs)"
STATUS="scaled down"

VALID=200   # of 619 abstracts of the validation set; the others are the test
VOCABULARY=8000
LONGEST=300 # sub-words of an abstract; the rest of longer ones is cut off
LEAD=(1)    # its first sentence

# Blocks of 256 tokens that ignore line ends, half of each window of 64 masked, about 6 epochs. An update has four
# batches of 1024 source tokens, shared by PROCESSES processes.
PRETRAINING=(--task mass_pretraining --masking block --tokens-per-block 256 --span-ratio 0.5 --label-smoothing 0
    --dropout 0.1 --attention-dropout 0 --lr 1e-3 --lr-scheduler polynomial_decay
    --warmup-updates 400 --total-num-update 3000 --max-update 3000 --max-tokens 1024
    --update-freq $((4 / PROCESSES)) --seed 1
    --log-interval 100 --validate-interval 1000 --validate-interval-updates 500
    --save-interval 1000 --save-interval-updates 500)

PAIRS=(1000 all)
SEEDS=(1)
declare -A UPDATES=([1000]=600 [all]=1000)
FINE_TUNING=(--task seq2seq_finetuning --label-smoothing 0.1 --dropout 0.3 --lr 1e-3 --lr-scheduler inverse_sqrt
    --warmup-updates 200 --max-tokens 4000 --long-lines truncate --log-interval 100
    --eval-rouge --eval-max-len-a 0 --eval-max-len-b 60
    --best-checkpoint-metric rougeL --maximize-best-checkpoint-metric)
# The least length is chosen on the validation abstracts, for all systems, among 10, 20, 25 and 30.
GENERATION=(--beam 5 --min-len 20 --max-len 60 --no-repeat-ngram 3)
