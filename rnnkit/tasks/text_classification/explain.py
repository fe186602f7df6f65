"""Which words moved a decision: what happens to it when each of them is taken away."""

from dataclasses import dataclass

import numpy as np

from rnnkit.inference.scores import softmax
from rnnkit.tasks.text_classification.classifier import Classifier, classify
from rnnkit.text.encoder import UNKNOWN


@dataclass(frozen=True)
class TokenEffect:
    """One token of a text, in its place.

    `change` is what the token adds to the probability of the predicted class: that of the whole
    text minus that of the text without it. `is_known` is whether the vocabulary has the token.
    """

    token: str
    change: float
    is_known: bool


def explain(classifier: Classifier, text: str, *, label: int) -> list[TokenEffect]:
    """The effect of every token that the model reads on the probability of class `label`.

    Occlusion (Zeiler and Fergus 2014). A token is left out (as Li et al. 2016 do) rather than
    replaced by <unk>, because a model that saw every word in training has never seen <unk>.
    """
    tokens = classifier.encoder.tokenize(text)
    ids = classifier.encoder.encode(text)
    if not tokens:
        return []
    without = [ids[:i] + ids[i + 1 :] for i in range(len(ids))]
    logits = classify(classifier, [ids, *without])
    probabilities = softmax(logits, classifier.decision.temperature)[:, label]
    changes = np.asarray(probabilities[0] - probabilities[1:])
    return [
        TokenEffect(token, float(change), is_known=index != UNKNOWN)
        for token, change, index in zip(tokens, changes, ids, strict=True)
    ]
