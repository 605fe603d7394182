"""An image becomes an aligned crop, an embedding, a score and a verdict."""
