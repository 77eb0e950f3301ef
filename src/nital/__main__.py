"""``python -m nital`` is ``nital``."""

from nital.cli import main

if __name__ == "__main__":
    main()
