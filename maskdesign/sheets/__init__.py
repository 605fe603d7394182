"""A texture becomes a page in true millimeters, and a page is measured again."""
