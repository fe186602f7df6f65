"""Leave-one-out: what each token of a text adds to the probability of a class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rnnkit.inference.decision import softmax
from rnnkit.tasks.text_classification.classifier import Classifier, classify
from rnnkit.text.encoder import UNKNOWN
from rnnkit.views.formats import signed
from rnnkit.views.view import Block, Section, Text, Token, Tokens, table

EXPLANATION_NOTE = (
    "Changes are leave-one-out values of the probability; rnnkit inspect attributions shows "
    "Shapley values unless --method leave-one-out is given."
)


@dataclass(frozen=True)
class TokenEffect:
    """One token of a text, in its place.

    `change` is what the token adds to the probability of the predicted class: that of the whole
    text minus that of the text without it. `is_known` is whether the vocabulary has the token.
    """

    token: str
    change: float
    is_known: bool


def leave_one_out(
    ids: Sequence[int], worth: Callable[[Sequence[Sequence[int]]], np.ndarray]
) -> np.ndarray:
    """Return the worth of a text minus that of the text without each token, float64[tokens].

    Occlusion (Zeiler and Fergus 2014). A token is left out (as Li et al. 2016 do) rather than
    replaced by <unk>, because a model that saw every word in training has never seen <unk>.

    Args:
        ids: of the tokens.
        worth: of several texts, number[texts]: the probability, or the logit, of one class.
    """
    without = [[*ids[:i], *ids[i + 1 :]] for i in range(len(ids))]
    values = np.asarray(worth([ids, *without]))
    return values[0] - values[1:]


def explain(classifier: Classifier, text: str, *, label: int) -> list[TokenEffect]:
    """Return the effect of every token that the model reads on the probability of class `label`.

    Raises:
        RunError: the model returned something else than finite numbers.
    """
    tokens = classifier.encoder.tokenize(text)
    if not tokens:
        return []
    ids = classifier.encoder.encode(text)

    def probability(texts: Sequence[Sequence[int]]) -> np.ndarray:
        logits = classify(classifier, texts)
        return softmax(logits, classifier.decision.temperature)[:, label]

    changes = leave_one_out(ids, probability).tolist()
    return [
        TokenEffect(token, change, is_known=index != UNKNOWN)
        for token, change, index in zip(tokens, changes, ids, strict=True)
    ]


def show_effects(effects: Sequence[TokenEffect], name: str) -> Section:
    """Return the tokens of a text in their order, with what each adds to the class `name`."""
    if not effects:
        return Section("", (Text("(no token to explain)"),), indent=2)
    tokens = Tokens(
        tuple(Token(effect.token, effect.change, signed(effect.change)) for effect in effects),
        digits=3,
        spaced=True,
        legend=f"orange adds to the probability of {name}, blue takes from it",
        without_colour=False,
    )
    rows = [
        (effect.token, signed(effect.change), "" if effect.is_known else "unknown to the model")
        for effect in effects
    ]
    listed: Block = table(("token", f"adds to {name}", ""), rows, left=("token", ""))
    return Section("", (tokens, listed), indent=2)
