"""From names to classes: what can be extended, what is installed, and how a strategy is stored."""
