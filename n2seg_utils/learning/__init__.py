"""Arrays and tensors: patches, blind spots, networks, training, prediction. Speaks Keras 3."""
