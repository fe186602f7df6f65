"""States and attributions without runs, with texts that a page must not take for markup."""

import numpy as np
from made_up_reports import HOSTILE, LONG

from rnnkit.inspection.attribution_study import Attribution, Attributions
from rnnkit.inspection.state_study import StateStudy, choose_units
from rnnkit.inspection.tracking import Ranking, Tracked
from rnnkit.text.vocabulary import label_text


def state_study(
    *, hostile: bool = False, tokens: int = 300, units: int = 4, ranked: bool = True
) -> StateStudy:
    """A view over characters, or over hostile words."""
    draw = np.random.default_rng(0)
    pieces = [HOSTILE, LONG, "a<b", "\n", "\t"] if hostile else list('The "fox" (so) jumps.\n')
    pieces = (pieces * tokens)[:tokens]
    states = np.tanh(np.cumsum(draw.normal(size=(tokens, 9)), axis=0) / 3).astype(np.float32)
    tracked = tuple(
        Tracked(
            name=name,
            unit=unit,
            correlation=r,
            chance=0.1,
            token_alone=0.4,
            auc=0.9 if unit % 2 else None,
            others=((5, -0.3), (6, 0.2), (7, 0.1)),
            is_found=abs(r) > 0.1,
        )
        for unit, (name, r) in enumerate(
            [("inside <...>", -0.9), ("position in line", 0.8), ("digit read", 0.05)]
        )
    )
    ranking = Ranking(tracked, ("inside quotes",), 32640, 0)
    return StateStudy(
        cell="lstm",
        layer=1,
        kind="cell",
        width=9,
        is_bidirectional=hostile,
        pieces=tuple(pieces),
        labels=tuple(label_text(piece) for piece in pieces),
        spaced=hostile,
        units=choose_units(states, tuple(range(units)) if hostile else (), ranking, most=units),
        ranking=ranking if ranked else None,
        ranked_on=HOSTILE if hostile else "the validation part of the run",
        notes=("This model reads 4 tokens.",),
    )


def attributions(
    text: str = "not a bad film", *, classes: int = 2, sampled: bool = False, explained: int = 0
) -> Attributions:
    """Plausible shares for the words of any text."""
    draw = np.random.default_rng(len(text))
    words = text.split()
    after_each = draw.dirichlet(np.ones(classes), len(words))
    whole = after_each[-1] if words else np.full(classes, 1 / classes)
    return Attributions(
        text=text,
        label=int(whole.argmax()),
        explained=explained,
        probabilities=whole,
        empty=np.full(classes, 1 / classes),
        baseline=1 / classes,
        compared_with="an empty text",
        tokens=tuple(
            Attribution(word, float(change), 0.01 if sampled else 0.0, is_known=word != "bad")
            for word, change in zip(words, draw.normal(size=len(words)) / 9, strict=True)
        ),
        after_each=after_each,
        is_sampled=sampled,
    )
