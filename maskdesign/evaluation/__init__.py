"""What a design is worth: views never used in the design, controls, intervals, the report."""
