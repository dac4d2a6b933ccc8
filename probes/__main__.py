"""``python -m probes``, as ``accelerate launch -m probes`` starts it."""

from probes.cli import main

if __name__ == "__main__":
    main()
