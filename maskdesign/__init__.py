"""maskdesign: printable face masks that keep face recognizers from matching their wearer."""

__version__ = "0.1.0"
