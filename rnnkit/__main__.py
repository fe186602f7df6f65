"""The program `rnnkit`, also as `python -m rnnkit`."""

import sys

INTERRUPTED_EXIT_CODE = 130


def main() -> None:
    """Run the program on the arguments of this process, and end the process."""
    try:
        from rnnkit.cli import main as run  # takes a tenth of a second, in which Ctrl-C may come
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(INTERRUPTED_EXIT_CODE)
    run()


if __name__ == "__main__":
    main()
