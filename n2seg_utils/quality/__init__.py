"""Numbers and pictures that judge a result; knows nothing of networks."""
