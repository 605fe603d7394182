"""One small file a scan format: bytes of a file in, points and colors out, or one `ScanError` that names the place."""
