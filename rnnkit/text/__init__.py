"""Text and token ids: cleaning rules and vocabularies, in pure Python."""
