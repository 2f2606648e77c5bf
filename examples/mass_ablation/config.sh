# Everything that the result depends on. Read by run.sh.

CLAIM="Masking half of a sentence is best (paper, figure 5), one span is better than scattered tokens (Discrete) and than feeding the decoder the whole sentence (Feed) (paper, table 8)"
STATUS="scaled down"

# VARIANTS: name -> flags. Those of one span ratio are compared with each other.
declare -A VARIANTS=(
    ["MASS 0.1"]="--span-ratio 0.1" ["MASS 0.25"]="--span-ratio 0.25" ["MASS 0.4"]="--span-ratio 0.4"
    ["MASS 0.5"]="--span-ratio 0.5" ["MASS 0.6"]="--span-ratio 0.6" ["MASS 0.75"]="--span-ratio 0.75"
    ["MASS 0.9"]="--span-ratio 0.9"
    ["Discrete 0.5"]="--span-ratio 0.5 --masking discrete" ["Feed 0.5"]="--span-ratio 0.5 --feed-whole-sentence"
)
# On a GPU all of them; on a CPU these, for the time it takes. VARIANTS_TO_RUN=all runs all of them there, too.
SHORT=("MASS 0.5" "Discrete 0.5" "Feed 0.5" "MASS 0.25" "MASS 0.75")

PRETRAINING=(--task mass_pretraining --label-smoothing 0 --dropout 0 --attention-dropout 0
    --lr 1e-3 --lr-scheduler polynomial_decay --warmup-updates 300 --total-num-update 3000 --max-update 3000 --max-tokens 2000 --seed 1
    --log-interval 100 --validate-interval 1000 --validate-interval-updates 1000
    --save-interval 1000 --save-interval-updates 500)
DIRECTION=de-en PAIRS=1000 UPDATES=800
SEEDS=(1 2 3)
FINE_TUNING=(--task seq2seq_finetuning --label-smoothing 0.1 --dropout 0.3 --lr 1e-3 --lr-scheduler inverse_sqrt
    --warmup-updates 200 --max-tokens 1000 --log-interval 100 --eval-bleu
    --best-checkpoint-metric bleu --maximize-best-checkpoint-metric)
BEAM=5
