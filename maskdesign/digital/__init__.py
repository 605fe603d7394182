"""Photo mode: a change on a template of cells that hides a face from recognizers, and the key that undoes it exactly."""
