"""What a plugin must be: the base classes that the kernel calls."""
