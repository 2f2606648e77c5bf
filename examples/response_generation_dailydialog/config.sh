# shellcheck shell=bash disable=SC2034 # run.sh reads it
# Everything that the result depends on, besides ../responses.sh. Read by run.sh.

CLAIM="MASS lowers the sub-word perplexity of responses, the more so the fewer pairs (paper, section 4.4, on Cornell's movie dialogues: 82.39 to 74.32 with 10 K pairs, 26.38 to 23.52 with 110 K)"
STATUS="scaled down"

VALID=300 # of 989 dialogues of the validation set; the others are the test
TURNS=3   # of a context
VOCABULARY=8000

# 3 + 3 layers of width 256, the same for every system.
MODEL=(--arch mass_tiny --criterion label_smoothed_cross_entropy --optimizer adam --adam-betas "(0.9,0.98)"
    --clip-norm 1.0 --autocast-bfloat16)
# Four turns a line, self-dialogues included: about 2.5 epochs. An update has four batches of 1000 source tokens, shared by
# PROCESSES processes.
PRETRAINING=(--task mass_pretraining --masking span --span-ratio 0.5 --label-smoothing 0
    --dropout 0.1 --attention-dropout 0 --lr 1e-3 --lr-scheduler polynomial_decay
    --warmup-updates 400 --total-num-update 3500 --max-update 3500 --max-tokens 1000 --long-lines truncate
    --update-freq $((4 / PROCESSES)) --seed 1
    --log-interval 100 --validate-interval 1000 --validate-interval-updates 500
    --save-interval 1000 --save-interval-updates 500)

PAIRS=(10000 all)
declare -A SEEDS=([10000]="1 2 3" [all]=1)
# scratch-long: three times the updates, for scratch learns on where the others end.
SYSTEMS=(scratch scratch-long mass)
declare -A UPDATES=([scratch.10000]=600 [scratch-long.10000]=1800 [mass.10000]=600
    [scratch.all]=1800 [scratch-long.all]=5400 [mass.all]=1800)
# Without label smoothing, and the checkpoint by the validation loss: perplexity is what is measured.
FINE_TUNING=(--task seq2seq_finetuning --label-smoothing 0 --dropout 0.2 --lr 1e-3 --lr-scheduler inverse_sqrt
    --warmup-updates 200 --max-tokens 4000 --long-lines truncate --log-interval 100)
BEAM=5
