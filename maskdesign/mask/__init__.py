"""The pleated sheet: its pattern, its folds, and how it drapes on a face."""
