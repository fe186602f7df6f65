"""The configuration tree: the only home of defaults, allowed values and field documentation.

Every class is frozen and strict, unknown keys are refused. The docstring below a field becomes
its description in the JSON Schema and in docs/CONFIG.md. What one field says about another
(a key without effect beside the chosen cell, sizes that must match) stands in `consistency.py`.

There is one tree for each task, in `schema_characters.py`, `schema_words.py` and
`schema_sentiment.py`; what they share is in `schema_language.py`, `schema_recurrent.py` and
`schema_training.py`. Here is all of it under one name.
"""

from rnnkit.config.base import (
    LARGEST,
    Cell,
    Character,
    Files,
    Fraction,
    LayerCount,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    RecurrentConfig,
    Section,
    Text,
    Version,
    WarmupSteps,
    layer_sizes,
)
from rnnkit.config.training import (
    AdamConfig,
    AdamWConfig,
    CommonTrainingConfig,
    ConstantSchedule,
    CosineSchedule,
    EarlyStopping,
    LinearSchedule,
    Optimizer,
    PlateauSchedule,
    RMSpropConfig,
    Schedule,
    SGDConfig,
    StepSchedule,
)
from rnnkit.tasks.language_model.config import (
    EmbeddingInput,
    EvaluationConfig,
    GenerationConfig,
    Input,
    ModelConfig,
    OneHotInput,
    PretrainedInput,
    SamplesConfig,
    ScaledInput,
    SlidingWindows,
    StreamWindows,
    TextFilesConfig,
    TrainingConfig,
    Windows,
)
from rnnkit.tasks.language_model.config_characters import CharGenerationConfig, DataConfig, Tokens
from rnnkit.tasks.language_model.config_words import WordDataConfig, WordGenerationConfig
from rnnkit.tasks.text_classification.config import (
    CharacterTokens,
    ClassifierConfig,
    Column,
    DenseActivation,
    Embedding,
    FilesLayout,
    FoldersLayout,
    Layout,
    LearnedEmbedding,
    Pooling,
    PretrainedEmbedding,
    Sentiment140Layout,
    SentimentConfig,
    SentimentDataConfig,
    SentimentEvaluationConfig,
    SentimentTrainingConfig,
    SubwordTokens,
    TableLayout,
    TextTokens,
    WordTokens,
)

LanguageConfig = CharGenerationConfig | WordGenerationConfig
"""A language model, whatever its tokens."""
Config = CharGenerationConfig | WordGenerationConfig | SentimentConfig
"""One experiment; `task` tells which."""
Training = TrainingConfig | SentimentTrainingConfig
"""The section `training` of a language model or a classifier."""

EXPERIMENTS: dict[
    str, type[CharGenerationConfig] | type[WordGenerationConfig] | type[SentimentConfig]
] = {
    "char_generation": CharGenerationConfig,
    "word_generation": WordGenerationConfig,
    "sentiment": SentimentConfig,
}
"""The tree of each task."""

__all__ = [
    "EXPERIMENTS",
    "LARGEST",
    "AdamConfig",
    "AdamWConfig",
    "Cell",
    "CharGenerationConfig",
    "Character",
    "CharacterTokens",
    "ClassifierConfig",
    "Column",
    "CommonTrainingConfig",
    "Config",
    "ConstantSchedule",
    "CosineSchedule",
    "DataConfig",
    "DenseActivation",
    "EarlyStopping",
    "Embedding",
    "EmbeddingInput",
    "EvaluationConfig",
    "Files",
    "FilesLayout",
    "FoldersLayout",
    "Fraction",
    "GenerationConfig",
    "Input",
    "LanguageConfig",
    "LayerCount",
    "Layout",
    "LearnedEmbedding",
    "LinearSchedule",
    "ModelConfig",
    "NonNegativeFloat",
    "OneHotInput",
    "Optimizer",
    "PlateauSchedule",
    "Pooling",
    "PositiveFloat",
    "PositiveInt",
    "PretrainedEmbedding",
    "PretrainedInput",
    "RMSpropConfig",
    "RecurrentConfig",
    "SGDConfig",
    "SamplesConfig",
    "ScaledInput",
    "Schedule",
    "Section",
    "Sentiment140Layout",
    "SentimentConfig",
    "SentimentDataConfig",
    "SentimentEvaluationConfig",
    "SentimentTrainingConfig",
    "SlidingWindows",
    "StepSchedule",
    "StreamWindows",
    "SubwordTokens",
    "TableLayout",
    "Text",
    "TextFilesConfig",
    "TextTokens",
    "Tokens",
    "Training",
    "TrainingConfig",
    "Version",
    "WarmupSteps",
    "Windows",
    "WordDataConfig",
    "WordGenerationConfig",
    "WordTokens",
    "layer_sizes",
]
