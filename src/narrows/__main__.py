"""The command `narrows`, also as `python -m narrows`."""

from __future__ import annotations


def main() -> None:
    """Run the command line. Ctrl-C while it is imported ends it without a traceback."""
    try:
        from narrows.cli import main as run

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # 128 + SIGINT, as shells report it


if __name__ == "__main__":
    main()
