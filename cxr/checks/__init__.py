"""Rules over the manifest, a file each: SEVERITY, MEANING, CURE and find(manifest) -> image, detail."""
