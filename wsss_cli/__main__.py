"""Entry point of ``wsss`` and of ``python -m wsss_cli``."""

import sys


def main() -> None:
    """Run the command line; interrupted before a command has begun, say so and no more."""
    try:
        from wsss_cli.cli.app import app

        app()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
