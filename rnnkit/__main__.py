"""`python -m rnnkit` is the same program as the console script `rnnkit`."""

from rnnkit.cli import main

if __name__ == "__main__":
    main()
