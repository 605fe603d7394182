"""Who wears the mask: photos and the built-in head become a `FaceScan` in millimeters."""
