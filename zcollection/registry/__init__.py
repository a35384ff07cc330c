"""The registry of plugins: hooks, discovery of installed plugins, lookup of classes by name, stored form of strategies."""
