"""One YAML file -> one frozen, checked `Config`."""
