"""Views of runs: the report of one, and what `rnnkit runs` lists, shows and compares."""
