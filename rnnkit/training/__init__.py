"""A prepared corpus and a configuration -> a trained run directory."""
