"""``python -m promptlab``: the command line."""

from promptlab.cli import main

if __name__ == "__main__":
    main()
