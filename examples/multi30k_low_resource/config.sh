# Everything that the result depends on. Read by run.sh.

CLAIM="MASS is ahead of training from scratch when pairs are few (paper, figure 4), and of denoising pre-training (paper, table 3)"
STATUS="scaled down"

# One trilingual pre-training an objective: 10 000 updates of 2000 source tokens, about 12 epochs.
PRETRAINING=(--task mass_pretraining --label-smoothing 0 --dropout 0.1 --attention-dropout 0
    --lr 2e-3 --lr-scheduler polynomial_decay
    --warmup-updates 400 --total-num-update 10000 --max-update 10000 --max-tokens 2000 --seed 1
    --log-interval 100 --validate-interval 1000 --validate-interval-updates 1000
    --save-interval 1000 --save-interval-updates 500)
# MASS takes half the rate: at 2e-3 its encoder's output shrinks to a constant before the decoder has use for it.
declare -A OBJECTIVE=([mass]="--masking span --span-ratio 0.5 --lr 1e-3" [denoising]="--masking infilling --span-ratio 0.3"
    # As many tokens to predict as MASS has, which are half of denoising's: half of the updates.
    [denoising-half]="--masking infilling --span-ratio 0.3 --total-num-update 5000 --max-update 5000")

# Fine-tuning: pairs -> updates of 1000 source tokens; all else is the same for all systems.
declare -A UPDATES=([1000]=800 [5000]=1500 [29000]=3000)
FINE_TUNING=(--task seq2seq_finetuning --label-smoothing 0.1 --dropout 0.3 --lr 1e-3 --lr-scheduler inverse_sqrt
    --warmup-updates 200 --max-tokens 1000 --log-interval 100 --eval-bleu
    --best-checkpoint-metric bleu --maximize-best-checkpoint-metric)
declare -A DIRECTIONS=([1000]="de-en en-fr" [5000]=de-en [29000]=de-en)
PLAN=("1000 1" "5000 1" "1000 2 3" "29000 1") # pairs and seeds; cheap runs first, to have something to show early
# Beside the plan: system, direction, pairs, seed.
EXTRA=("denoising-half de-en 1000 1" "denoising-half de-en 1000 2" "denoising-half de-en 1000 3")
BEAM=5
