"""Pictures and pages about fitted models."""
