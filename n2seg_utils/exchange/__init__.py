"""Models that come from other software, and models that go there."""
