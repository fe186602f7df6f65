"""The base of all sections, types of fields, and the recurrent layers of every task."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

LARGEST = 2**31 - 1
"""Largest whole number of any key: token ids and steps are int32."""
SIZE_LIMIT = 1e30
"""Largest size of a given weight, far from overflow; messages do not mention it."""


def _whole(value: object) -> object:
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value


# Python holds `true` and 1.0 for equal to 1.
Version = Annotated[Literal[1], BeforeValidator(_whole)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(ge=1, le=LARGEST)]
WarmupSteps = Annotated[int, Field(ge=0, le=LARGEST)]
LayerCount = Annotated[int, Field(ge=1, le=100)]
Text = Annotated[str, Field(min_length=1)]
Files = Text | Annotated[tuple[Text, ...], Field(min_length=1)]
Character = Annotated[str, Field(min_length=1, max_length=1)]
PositiveFloat = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

Cell = Literal["simple_rnn", "lstm", "gru"]


class Section(BaseModel):
    """Base of every section of the tree: frozen, strict, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True
    )


class RecurrentConfig(Section):
    """The recurrent layers."""

    cell: Cell = "gru"
    """Recurrent cell: Elman's simple RNN, LSTM (Hochreiter and Schmidhuber 1997) or GRU (Cho et al.
    2014, reset gate after the matrix product as in cuDNN)."""
    units: PositiveInt | Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = 256
    """Size of the hidden state; a number for all layers, or a list with one per layer."""
    layers: LayerCount | None = None
    """Number of recurrent layers; by default the length of the list in `units`, or 1."""
    activation: Literal["tanh", "relu"] | None = None
    """Activation of `simple_rnn` (`tanh` by default); the other cells have fixed ones."""
    kernel_initializer: Literal[
        "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "orthogonal"
    ] = "glorot_uniform"
    """Initial values of the input and output matrices (Glorot and Bengio 2010, He et al. 2015)."""
    recurrent_initializer: Literal[
        "orthogonal", "identity", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal"
    ] = "orthogonal"
    """Initial values of the recurrent matrix. `identity` is for `simple_rnn` with ReLU (Le, Jaitly
    and Hinton 2015)."""
    dropout: Fraction = 0.0
    """Dropout after every recurrent layer (Zaremba et al. 2014)."""
    dropout_mask: Literal["step", "sequence"] = "step"
    """`step`: a new dropout mask at every time step; `sequence`: one for each sequence and window
    (Gal and Ghahramani 2016)."""
    recurrent_dropout: Fraction = 0.0
    """DropConnect on the recurrent matrix, one mask per batch (Merity et al. 2017)."""
    l1: NonNegativeFloat = 0.0
    """L1 penalty on all weight matrices, added to the loss."""
    l2: NonNegativeFloat = 0.0
    """L2 penalty on all weight matrices, added to the loss."""
    normalization: Literal["none", "layer", "batch"] = "none"
    """Normalisation after every recurrent layer: layer (Ba et al. 2016) or batch (Ioffe and Szegedy
    2015)."""
    residual: bool = False
    """Add a layer's input to its output, from the second layer on; needs equal sizes."""


def layer_sizes(model: RecurrentConfig) -> tuple[int, ...]:
    """Return the units of every recurrent layer: `units: 256, layers: 2` -> `(256, 256)`."""
    if isinstance(model.units, int):
        return (model.units,) * (model.layers or 1)
    return model.units
