"""From logits to the next token: penalty, temperature, filters, and the draw itself.

The steps come in the order of Hugging Face's `generate`, so that the same numbers mean the same
there and here:

1. `<unk>` is banned.
2. repetition penalty on the logits of recent tokens (Keskar et al. 2019)
3. temperature divides the logits; 0 ends here: all probability goes to the largest logit
4. top-k: the k most probable tokens (Fan et al. 2018)
5. top-p: of those, the fewest that hold the fraction p of the probability (Holtzman et al. 2020)
6. min-p: of those, the ones at least this fraction of the most probable (Nguyen et al. 2024)
7. typical: of those, with their probabilities made to sum to 1 again, the fewest that hold the
   fraction p, beginning with the ones whose surprise, -log p, is closest to the expected one, the
   entropy (Meister et al. 2023)

Among equals the token with the lower id comes first, so `top_k=1` is greedy decoding.
"""

from dataclasses import dataclass

import numpy as np

PENALTY_WINDOW = 64
"""Number of latest tokens that the repetition penalty looks at."""

_LOWEST_TEMPERATURE = 1e-200  # below it a difference of two logits, divided, could overflow
_LOWEST_SCORE = -1e100  # finite, so that a huge penalty leaves a difference to compute with
_ROUNDING = 1e-12  # 0.7 + 0.2 counts as 0.9


@dataclass(frozen=True)
class SamplingOptions:
    """The choice of the next token; the defaults sample from the model's own distribution."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float = 1.0


def next_probabilities(
    logits: np.ndarray,
    *,
    options: SamplingOptions,
    recent: np.ndarray | None = None,
    banned: int | None = None,
) -> np.ndarray:
    """Compute the probabilities of the next token under `options`.

    `logits` is float32[batch, vocabulary]; `recent` int[batch, n] holds the tokens to penalise
    and `banned` is an id that must not be drawn. Returns float64[batch, vocabulary], each row
    with the sum 1 up to rounding and at least one token left.

    Raises:
        ValueError: the logits are not finite.
    """
    scores = next_scores(
        logits, repetition_penalty=options.repetition_penalty, recent=recent, banned=banned
    )
    highest = scores.max(axis=1, keepdims=True)
    if options.temperature == 0.0:
        return _only_the_largest(scores)
    filtered = options.top_k is not None or options.top_p is not None
    # Ranked before the exponential, which makes equals of what hardly differs.
    order = np.argsort(-scores, axis=1, kind="stable") if filtered else None
    scores -= highest
    scores /= max(options.temperature, _LOWEST_TEMPERATURE)
    np.exp(scores, out=scores)
    if order is not None:
        _keep_most_probable(scores, order, top_k=options.top_k, top_p=options.top_p)
    if options.min_p is not None:
        # The largest is exp(0) = 1 and no filter above removes it.
        scores[scores < options.min_p] = 0.0
    scores /= scores.sum(axis=1, keepdims=True)
    if options.typical_p is not None and options.typical_p < 1.0:
        _keep_most_typical(scores, options.typical_p)
        scores /= scores.sum(axis=1, keepdims=True)
    return scores


def next_scores(
    logits: np.ndarray,
    *,
    repetition_penalty: float = 1.0,
    recent: np.ndarray | None = None,
    banned: int | None = None,
) -> np.ndarray:
    """Compute the logits after the steps 1 and 2, float64[batch, vocabulary].

    Raises:
        ValueError: the logits are not finite.
    """
    scores = logits.astype(np.float64)
    if repetition_penalty != 1.0 and recent is not None:
        _penalize(scores, recent, repetition_penalty)
    if banned is not None:
        scores[:, banned] = -np.inf
    # Not-a-number wins every maximum and infinity is one, so this sees all that could go wrong
    # except minus infinity, which is a probability of zero.
    if not np.isfinite(scores.max(axis=1)).all():
        raise ValueError("the logits are not finite")
    return scores


def sample(probabilities: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Draw one token for each row.

    `probabilities` is float64[batch, vocabulary] and need not be normalised; `draws` is
    float64[batch] in [0, 1), one random number per row. Returns int64[batch]. A token of
    probability zero is never drawn: `sample([[0, .5, .5]], [0.0])` is `[1]`.
    """
    cumulative = np.cumsum(probabilities, axis=1)
    thresholds = draws * cumulative[:, -1]
    return (cumulative <= thresholds[:, np.newaxis]).sum(axis=1)


def _penalize(scores: np.ndarray, recent: np.ndarray, penalty: float) -> None:
    rows = np.arange(len(scores))[:, np.newaxis]
    seen = scores[rows, recent]
    with np.errstate(over="ignore"):
        penalized = np.where(seen < 0.0, seen * penalty, seen / penalty)
    # A token that occurs twice is written twice with the same value: penalised once.
    scores[rows, recent] = np.maximum(penalized, _LOWEST_SCORE)


def _only_the_largest(scores: np.ndarray) -> np.ndarray:
    probabilities = np.zeros_like(scores)
    probabilities[np.arange(len(scores)), scores.argmax(axis=1)] = 1.0
    return probabilities


def _keep_most_probable(
    weights: np.ndarray, order: np.ndarray, *, top_k: int | None, top_p: float | None
) -> None:
    """Set everything that top-k and then top-p leave out to zero, in place.

    `order` int64[batch, vocabulary] lists the tokens of each row, the most probable first.
    """
    ranked = np.take_along_axis(weights, order, axis=1)
    if top_k is not None:
        ranked[:, top_k:] = 0.0
    if top_p is not None and top_p < 1.0:
        _keep_fraction(ranked, top_p)
    np.put_along_axis(weights, order, ranked, axis=1)


def _keep_most_typical(probabilities: np.ndarray, fraction: float) -> None:
    """Set everything that typical sampling leaves out to zero, in place."""
    # What has no probability adds nothing to the entropy, and is further from it than the rest.
    surprise = -np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    entropy = (probabilities * surprise).sum(axis=1, keepdims=True)
    order = np.argsort(np.abs(surprise - entropy), axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    _keep_fraction(ranked, fraction)
    np.put_along_axis(probabilities, order, ranked, axis=1)


def _keep_fraction(ranked: np.ndarray, fraction: float) -> None:
    """Keep the first of each row that together hold `fraction` of its sum; zero the rest, in place.

    `_keep_fraction([[.5, .3, .2]], .7)` leaves `[[.5, .3, 0]]`.
    """
    cumulative = np.cumsum(ranked, axis=1)
    before = (cumulative - ranked) / cumulative[:, -1:]
    # The first token has nothing before it and always stays, however small the fraction is.
    before[:, 0] = -1.0
    ranked[before >= fraction - _ROUNDING] = 0.0
