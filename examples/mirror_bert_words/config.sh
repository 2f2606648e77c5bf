# Everything that the result depends on. Read by run.sh.

STATUS="scaled down"

# The masked language model of mirror_bert_sts, the same stages.
source "$ROOT/examples/mirror_bert_sts/config.sh"
SHARED+=("$ROOT/examples/mirror_bert_sts/config.sh")
CLAIM="Mirror-BERT turns a masked language model into a word encoder: BERT rises from 20.1 to 47.1 on average over the languages of Multi-SimLex (paper, table 2)"

# The paper's word recipe: the 10 000 most frequent words, 2 epochs. Its pooling, the first token's state, is
# mirror-cls; the others are pooled by mean, as mlm is.
NUMBER=10000
MIRROR_TRAINING=(--mode word --pooling mean --optimizer adam --weight-decay 0.01 --lr-scheduler fixed --batch-size 200
    --log-interval 10 --disable-validation)
EPOCHS=2
TIMED=() # all are trained beside each other
MINILM_EPOCHS=2
# systems: name -> flags
declare -A SYSTEMS=(
    [mirror]=""
    [mirror-cls]="--pooling cls"
    ["no dropout"]="--dropout 0 --attention-dropout 0"
    [drop-head]="--dropout 0 --attention-dropout 0 --drop-head 0.2"
)
ORDER=(mirror mirror-cls "no dropout" drop-head)
COMPARISONS=(mirror=mlm mirror-cls=mlm-cls "no dropout=mirror" drop-head=mirror minilm+mirror=minilm)
