"""From files to token ids on disk, splits, windows and batches."""
