"""The contracts of plugins: the base classes whose methods the kernel calls."""
