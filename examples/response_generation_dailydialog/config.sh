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
# Four turns a line, self-dialogues included: about 1.3 epochs.
PRETRAINING=(--task mass_pretraining --masking span --span-ratio 0.5 --label-smoothing 0
    --dropout 0.1 --attention-dropout 0 --lr 1e-3 --lr-scheduler polynomial_decay
    --warmup-updates 300 --total-num-update 3500 --max-update 3500 --max-tokens 2000 --long-lines truncate --seed 1
    --log-interval 100 --validate-interval 1000 --validate-interval-updates 500
    --save-interval 1000 --save-interval-updates 500)

PAIRS=(10000 all)
declare -A SEEDS=([10000]="1 2 3" [all]=1)
declare -A UPDATES=([10000]=900 [all]=1500)
# Without label smoothing, and the checkpoint by the validation loss: perplexity is what is measured.
FINE_TUNING=(--task seq2seq_finetuning --label-smoothing 0 --dropout 0.2 --lr 1e-3 --lr-scheduler inverse_sqrt
    --warmup-updates 200 --max-tokens 2000 --long-lines truncate --log-interval 100)
BEAM=5
