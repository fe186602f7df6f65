"""What finished runs say: overviews, comparisons."""
